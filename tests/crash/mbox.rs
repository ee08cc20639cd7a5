//! What is in an mbox that crashes have broken deliveries to.
//!
//! An mbox has no place but itself for a message that is being written: a delivery that was broken off leaves the beginning of
//! one, and the next message comes behind it. Readers have to find that one, which therefore begins a line; the piece before it is
//! no message.

use std::path::Path;

/// What an mbox holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Mbox {
    /// What has come to the last line of a message, without its From line and the blank line behind it.
    pub whole: Vec<String>,
    /// Beginnings of others.
    pub torn: Vec<String>,
}

impl Mbox {
    /// Reads it. One that is not there is empty.
    pub fn read(path: &Path) -> Mbox {
        Mbox::of(&String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()))
    }

    fn of(text: &str) -> Mbox {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let parts = text.split("\nFrom ").filter(|part| !part.is_empty());
        let behind_from_line = |part: &str| part.split_once('\n').unwrap_or_default().1.to_owned();
        let (whole, torn) = parts.map(behind_from_line).partition(|message| is_at_its_end(message));
        Mbox { whole, torn }
    }
}

/// Whether the last line is there, with its end: `ledger` says what it is.
fn is_at_its_end(message: &str) -> bool {
    message.ends_with('\n') && message.lines().last().is_some_and(|line| line.starts_with("end "))
}

#[test]
fn an_mbox_is_taken_apart_at_lines_that_begin_with_from() {
    let mbox = |whole: &[&str], torn: &[&str]| {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Mbox { whole: owned(whole), torn: owned(torn) }
    };
    let (message, text) = ("From a\nSubject: x\n\nend 1\n\n", "Subject: x\n\nend 1\n");
    assert_eq!(Mbox::of(&[message, message].concat()), mbox(&[text, text], &[]));
    assert_eq!(Mbox::of(&["From a\nSubj\n", message].concat()), mbox(&[text], &["Subj"]));
    // Behind a piece that does not end its line nobody finds the message: the two are one, which the ledger does not know.
    let joined = mbox(&["SubjFrom a\nSubject: x\n\nend 1\n"], &[]);
    assert_eq!(Mbox::of(&["From a\nSubj", message].concat()), joined);
    assert_eq!(Mbox::of("From a\nhalf"), mbox(&[], &["half"]));
    assert_eq!(Mbox::of("From a\nx\n\nend 1\n\n\0\0"), mbox(&[], &["x\n\nend 1\n\n\0\0"]));
    assert_eq!(Mbox::of(""), Mbox::default());
}
