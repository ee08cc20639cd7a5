//! The messages in an mbox, of which a killed delivery may have left a part.

use super::super::ledger::Number;
use std::path::Path;

/// What an mbox holds.
#[derive(Debug, Default)]
pub struct Mbox {
    /// Messages to their last line.
    pub whole: Vec<String>,
    /// Beginnings of others.
    pub torn: usize,
}

impl Mbox {
    /// Reads it. All its messages have this sender, whose From line nothing else looks like.
    pub fn read(path: &Path, sender: &str) -> Mbox {
        Mbox::of(&std::fs::read_to_string(path).unwrap_or_default(), sender)
    }

    fn of(text: &str, sender: &str) -> Mbox {
        let mut mbox = Mbox::default();
        let beginning = format!("From {sender} ");
        // What comes after a torn message begins in the middle of its last line. Nothing is before the first.
        for part in text.split(&beginning).skip(1) {
            // After the rest of the From line; with the empty line that ends each message.
            let message = part.split_once('\n').map_or("", |(_, message)| message);
            let message = message.strip_suffix('\n').unwrap_or(message);
            match Number::of(message) {
                Ok(_) => mbox.whole.push(message.to_owned()),
                Err(_) => mbox.torn += 1,
            }
        }
        mbox
    }
}

#[test]
fn a_torn_message_in_an_mbox_hides_no_other() {
    let message = |number| format!("From s@x Mon Jan 1\nReturn-Path: <s@x>\n{}\n", Number(number).text());
    let torn: String = message(1).chars().take(300).collect();
    let mbox = Mbox::of(&format!("{}{torn}{}", message(0), message(2)), "s@x");
    let numbers: Vec<_> = mbox.whole.iter().map(|text| Number::of(text)).collect();
    assert_eq!((numbers, mbox.torn), (vec![Ok(Number(0)), Ok(Number(2))], 1));
}
