//! What `restore` says of each message of the snapshot: what became of it, and who may get a second copy.
//!
//! Whoever was not done when the snapshot was taken may have been delivered to since, unless a log denies it.

use super::message::Waiting;
use crate::queue::layout::MessageNumber;
use crate::queue::qread::printable;
use crate::send::channel::Channel;
use std::fmt::Write;
use unix::json::{object, quoted};

/// What became of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number in the snapshot.
    pub message: MessageNumber,
    /// Where it is now.
    pub fate: Fate,
    /// The recipients who may get a second copy.
    pub may_repeat: Vec<Waiting>,
    /// The sender, if he may be told a second time of recipients that failed.
    pub may_bounce_again: Option<Vec<u8>>,
}

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// In the queue, under this number.
    Restored(MessageNumber),
    /// An earlier run has put it into the queue, under this number.
    RestoredBefore(MessageNumber),
    /// In the queue, where it has been all the time.
    Present,
    /// Nothing is left to do.
    Done,
}

impl Line {
    /// Lines for people, each beginning with the message's number.
    pub fn text(&self) -> Vec<u8> {
        let message = self.message;
        let fate = match self.fate {
            Fate::Restored(number) => format!("restored as {number}"),
            Fate::RestoredBefore(number) => format!("was restored before, as {number}"),
            Fate::Present => "is in the queue already".to_owned(),
            Fate::Done => "not restored: nothing is left to do".to_owned(),
        };
        let mut text = format!("{message}: {fate}\n").into_bytes();
        let mut put = |what: &str, address: &[u8]| {
            text.extend(format!("{message}: {what} ").into_bytes());
            text.extend(printable(address));
            text.push(b'\n');
        };
        for recipient in &self.may_repeat {
            put("may be delivered twice to", &recipient.address);
        }
        if let Some(sender) = &self.may_bounce_again {
            put("may be bounced twice to", sender);
        }
        text
    }

    /// One object, on one line.
    pub fn json(&self) -> String {
        let (outcome, number) = match self.fate {
            Fate::Restored(number) => ("restored", Some(number)),
            Fate::RestoredBefore(number) => ("restored before", Some(number)),
            Fate::Present => ("present", None),
            Fate::Done => ("done", None),
        };
        let mut repeat = String::new();
        for (place, recipient) in self.may_repeat.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            let channel = recipient
                .channel
                .map_or("null".to_owned(), |channel: Channel| quoted(channel.name().as_bytes()));
            let members = [("channel", channel), ("address", quoted(&recipient.address))];
            write!(repeat, "{comma}{}", object(&members)).expect("a String takes whatever is written");
        }
        let bounce = self.may_bounce_again.as_ref().map_or("null".to_owned(), |sender| quoted(sender));
        object(&[
            ("message", self.message.to_string()),
            ("outcome", quoted(outcome.as_bytes())),
            ("restored", number.map_or("null".to_owned(), |number| number.to_string())),
            ("may_repeat", format!("[{repeat}]")),
            ("may_bounce_again", bounce),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_for_people_or_for_programs() {
        let repeat = Waiting { channel: Some(Channel::Local), address: b"a@b\x1b".to_vec() };
        let line = Line {
            message: MessageNumber(7),
            fate: Fate::Restored(MessageNumber(9)),
            may_repeat: vec![repeat, Waiting { channel: None, address: b"c".to_vec() }],
            may_bounce_again: Some(b"s@x".to_vec()),
        };
        assert_eq!(
            line.text().escape_ascii().to_string(),
            r"7: restored as 9\n7: may be delivered twice to a@b_\n7: may be delivered twice to c\n7: may be bounced twice to s@x\n"
        );
        assert_eq!(
            line.json(),
            "{\"message\":7,\"outcome\":\"restored\",\"restored\":9,\"may_repeat\":[{\"channel\":\"local\",\
             \"address\":\"a@b\\u001b\"},{\"channel\":null,\"address\":\"c\"}],\"may_bounce_again\":\"s@x\"}"
        );
    }
}
