//! When messages were born, told by a clock that nobody sets.
//!
//! On disk the birth of a message is the mtime of its info file, and touching that file makes the message
//! young again. In memory it is a time of the steady clock, so that a jump of the wall clock ages no message.

use crate::queue::layout::{Kind, MessageNumber};
use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use unix::clock::Now;

/// The births of the messages that are known.
#[derive(Debug, Default)]
pub struct Births {
    known: HashMap<MessageNumber, Birth>,
}

#[derive(Clone, Copy, Debug)]
struct Birth {
    mtime: i64,
    steady: i64,
}

impl Births {
    /// When a message was born, on the steady clock. Looks at info, whose mtime may have been set anew.
    pub fn of(&mut self, message: MessageNumber, now: Now) -> io::Result<i64> {
        Ok(self.seen(message, &fs::metadata(Kind::Info.path(message))?, now))
    }

    /// The same for a message whose info file was looked at already.
    pub fn seen(&mut self, message: MessageNumber, info: &Metadata, now: Now) -> i64 {
        self.note(message, info.mtime(), now)
    }

    fn note(&mut self, message: MessageNumber, mtime: i64, now: Now) -> i64 {
        // A message from the future, as it seems after the clock was set back, is born now.
        let seen = Birth { mtime, steady: now.steady_of(mtime).min(now.steady) };
        let birth = self.known.entry(message).or_insert(seen);
        if birth.mtime != mtime {
            *birth = seen;
        }
        birth.steady
    }

    /// Whether a message was seen since it came into the queue.
    pub fn knows(&self, message: MessageNumber) -> bool {
        self.known.contains_key(&message)
    }

    /// Forgets a message that left the queue.
    pub fn forget(&mut self, message: MessageNumber) {
        self.known.remove(&message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: MessageNumber = MessageNumber(7);

    /// R6
    #[test]
    fn r6_a_jump_of_the_clock_ages_no_known_message() {
        let mut births = Births::default();
        assert_eq!(births.note(MESSAGE, 1000, Now { wall: 1100, steady: 500 }), 400);
        let ten_years = 315_360_000;
        assert_eq!(births.note(MESSAGE, 1000, Now { wall: 1200 + ten_years, steady: 600 }), 400);
        assert_eq!(births.note(MESSAGE, 1000, Now { wall: 0, steady: 700 }), 400);
    }

    /// R6
    #[test]
    fn r6_a_message_from_the_future_is_born_when_it_is_seen() {
        let mut births = Births::default();
        assert_eq!(births.note(MESSAGE, 2_000_000_000, Now { wall: 1_000_000_000, steady: 70 }), 70);
        assert_eq!(births.note(MESSAGE, 2_000_000_000, Now { wall: 1_000_000_400, steady: 470 }), 70);
    }

    #[test]
    fn a_touched_message_is_young_again() {
        let mut births = Births::default();
        births.note(MESSAGE, 1000, Now { wall: 500_000, steady: 500_000 });
        assert_eq!(births.note(MESSAGE, 600_000, Now { wall: 600_010, steady: 600_010 }), 600_000);
    }
}
