//! The session with a mailbox, as a pure state machine: RFC 1939 §5.
//!
//! The messages are those that were there at the beginning, numbered from 1. A message is present or deleted;
//! DELE deletes, RSET brings all back, and only QUIT makes it so on disk.

use crate::retrieve::command::Command;
use unix::number;

/// Where in the maildir a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `new`: no reader has shown it.
    New,
    /// `cur`.
    Cur,
}

/// A message of the mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where it is.
    pub place: Place,
    /// The name of its file there.
    pub name: Vec<u8>,
    /// Bytes of the file.
    pub size: u64,
}

/// What is to be done about a command.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// It worked.
    Ok,
    /// It worked, and this is the answer.
    Answer(String),
    /// The same, with an identifier at the end.
    Identifier(usize, Vec<u8>),
    /// It did not, for this reason.
    Error(&'static str),
    /// List what the server can do.
    Capabilities,
    /// Send a line for each message.
    List(Column),
    /// Send the message with this index: its header, and so many lines of its body, or all.
    Send(usize, Option<u64>),
    /// Delete on disk what is deleted, and end.
    Quit,
}

/// What a list says about each message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// LIST: its size.
    Size,
    /// UIDL: what it is called in every session.
    Identifier,
}

/// One client's session.
pub struct Session {
    messages: Vec<Message>,
    deleted: Vec<bool>,
    /// The highest message number that was deleted.
    last: usize,
}

impl Session {
    /// A session with these messages.
    pub fn new(messages: Vec<Message>) -> Session {
        let deleted = vec![false; messages.len()];
        Session { messages, deleted, last: 0 }
    }

    /// Answers a command.
    pub fn answer(&mut self, command: Command) -> Step {
        let Command::Words(verb, argument) = command else { return Step::Error(SYNTAX) };
        match verb.as_slice() {
            b"stat" => Step::Answer(format!("{} {}", self.messages.len(), self.size())),
            b"list" => self.list(&argument, Column::Size),
            b"uidl" => self.list(&argument, Column::Identifier),
            b"retr" | b"top" => self.send(&argument),
            b"dele" => self.delete(&argument),
            b"last" => Step::Answer(self.last.to_string()),
            b"rset" => {
                self.deleted.fill(false);
                self.last = 0;
                Step::Ok
            }
            b"noop" => Step::Ok,
            b"capa" => Step::Capabilities,
            b"quit" => Step::Quit,
            _ => Step::Error("unimplemented"),
        }
    }

    /// Bytes of all messages that are present.
    fn size(&self) -> u64 {
        self.present().fold(0, |sum, (_, message)| sum.saturating_add(message.size))
    }

    /// The messages that are present, with their indices.
    pub fn present(&self) -> impl Iterator<Item = (usize, &Message)> {
        self.marked(false)
    }

    /// The messages that are deleted.
    pub fn deleted(&self) -> impl Iterator<Item = &Message> {
        self.marked(true).map(|(_, message)| message)
    }

    fn marked(&self, wanted: bool) -> impl Iterator<Item = (usize, &Message)> {
        let marked = self.messages.iter().zip(&self.deleted).enumerate();
        marked
            .filter(move |(_, (_, deleted))| **deleted == wanted)
            .map(|(index, (message, _))| (index, message))
    }

    /// The message with an index.
    pub fn message(&self, index: usize) -> Option<&Message> {
        self.messages.get(index)
    }

    fn list(&self, argument: &[u8], column: Column) -> Step {
        if argument.is_empty() {
            return Step::List(column);
        }
        match self.find(argument) {
            Err(text) => Step::Error(text),
            Ok((index, message, _)) => match column {
                Column::Size => Step::Answer(format!("{} {}", number_of(index), message.size)),
                Column::Identifier => Step::Identifier(number_of(index), identifier(&message.name)),
            },
        }
    }

    fn send(&self, argument: &[u8]) -> Step {
        match self.find(argument) {
            Err(text) => Step::Error(text),
            Ok((index, _, rest)) => {
                let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
                let (lines, digits) = number::scan(rest.get(spaces..).unwrap_or_default());
                Step::Send(index, (digits > 0).then_some(lines))
            }
        }
    }

    fn delete(&mut self, argument: &[u8]) -> Step {
        match self.find(argument) {
            Err(text) => Step::Error(text),
            Ok((index, _, _)) => {
                if let Some(mark) = self.deleted.get_mut(index) {
                    *mark = true;
                }
                self.last = self.last.max(number_of(index));
                Step::Ok
            }
        }
    }

    /// The present message that an argument begins with the number of, and the rest of the argument.
    fn find<'a>(&self, argument: &'a [u8]) -> Result<(usize, &Message, &'a [u8]), &'static str> {
        let (number, digits) = number::scan(argument);
        if digits == 0 {
            return Err(SYNTAX);
        }
        let index = number.checked_sub(1).ok_or("messages are counted from 1")?;
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        let message = self.messages.get(index).ok_or("not that many messages")?;
        if self.deleted.get(index) == Some(&true) {
            return Err("already deleted");
        }
        Ok((index, message, argument.get(digits..).unwrap_or_default()))
    }
}

const SYNTAX: &str = "syntax error";

/// The number that a client knows a message by.
pub fn number_of(index: usize) -> usize {
    index.saturating_add(1)
}

/// What a message is called in every session: its name up to the first colon, behind which readers keep flags.
///
/// A name with bytes that RFC 1939 §7 does not allow (a line end could be among them) is replaced by a number
/// made of all its bytes.
pub fn identifier(name: &[u8]) -> Vec<u8> {
    let unique = name.split(|byte| *byte == b':').next().unwrap_or_default();
    if !unique.is_empty() && unique.iter().all(u8::is_ascii_graphic) {
        return unique.to_vec();
    }
    format!("x{:032x}", fnv1a(unique)).into_bytes()
}

/// FNV-1a with 128 bits: the same for the same bytes, in every version of this program.
fn fnv1a(bytes: &[u8]) -> u128 {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    bytes.iter().fold(BASIS, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::line::Line;
    use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, proptest};

    fn message(name: &str, size: u64) -> Message {
        Message { place: Place::New, name: name.as_bytes().to_vec(), size }
    }

    fn session() -> Session {
        Session::new(vec![message("1.a:2,S", 10), message("2.b", 200), message("3.c", 3000)])
    }

    fn say(session: &mut Session, line: &str) -> Step {
        session.answer(Command::parse(Line::Complete(line.as_bytes().to_vec())))
    }

    fn answer(text: &str) -> Step {
        Step::Answer(text.to_owned())
    }

    #[test]
    fn deleted_messages_keep_their_numbers_and_lose_their_size() {
        let mut session = session();
        assert_eq!(say(&mut session, "STAT"), answer("3 3210"));
        assert_eq!(say(&mut session, "DELE 2"), Step::Ok);
        assert_eq!(say(&mut session, "STAT"), answer("3 3010"));
        assert_eq!(say(&mut session, "LIST 3"), answer("3 3000"));
        assert_eq!(session.present().map(|(index, _)| index).collect::<Vec<_>>(), [0, 2]);
        for command in ["DELE 2", "RETR 2", "TOP 2 1", "LIST 2", "UIDL 2"] {
            assert_eq!(say(&mut session, command), Step::Error("already deleted"), "{command}");
        }
        assert_eq!(say(&mut session, "LAST"), answer("2"));
        assert_eq!(say(&mut session, "DELE 1"), Step::Ok);
        assert_eq!(say(&mut session, "LAST"), answer("2"));
        assert_eq!(say(&mut session, "RSET"), Step::Ok);
        assert_eq!((say(&mut session, "LAST"), say(&mut session, "STAT")), (answer("0"), answer("3 3210")));
        assert_eq!(session.deleted().count(), 0);
    }

    #[test]
    fn a_message_number_is_checked_before_anything_else() {
        let mut session = session();
        for (argument, text) in [
            ("0", "messages are counted from 1"),
            ("4", "not that many messages"),
            ("99999999999999999999999", "not that many messages"),
            ("x", "syntax error"),
            ("-1", "syntax error"),
        ] {
            for verb in ["RETR", "TOP", "DELE", "LIST", "UIDL"] {
                assert_eq!(say(&mut session, &format!("{verb} {argument}")), Step::Error(text));
            }
        }
        assert_eq!(say(&mut session, "RETR"), Step::Error("syntax error"));
        assert_eq!(say(&mut session, "LIST 2 x"), answer("2 200"));
    }

    #[test]
    fn top_and_retr_take_a_number_of_lines() {
        let mut session = session();
        assert_eq!(say(&mut session, "RETR 1"), Step::Send(0, None));
        assert_eq!(say(&mut session, "TOP 1"), Step::Send(0, None));
        assert_eq!(say(&mut session, "TOP 3  0"), Step::Send(2, Some(0)));
        assert_eq!(say(&mut session, "RETR 1 12"), Step::Send(0, Some(12)));
        assert_eq!(say(&mut session, "TOP 1\t5"), Step::Send(0, None));
    }

    #[test]
    fn an_identifier_does_not_change_with_flags_and_is_a_word() {
        assert_eq!(identifier(b"1.a.host:2,S"), b"1.a.host");
        assert_eq!(identifier(b"1.a.host"), identifier(b"1.a.host:2,RS"));
        for odd in [&b"a b"[..], b"a\r\n.", b"\xff", b":2,S", b""] {
            let word = identifier(odd);
            assert!(word.len() == 33 && word.iter().all(u8::is_ascii_graphic), "{odd:?}");
        }
        assert_eq!(identifier(b""), b"x6c62272e07bb014262b821756295c58d");
        assert_ne!(identifier(b"a b"), identifier(b"a c"));
    }

    #[test]
    fn what_is_not_known_is_unimplemented() {
        let mut session = session();
        for line in ["", "USER x", "XTND", " STAT", "AUTH"] {
            assert_eq!(say(&mut session, line), Step::Error("unimplemented"), "{line}");
        }
    }

    proptest! {
        /// P: whatever is said, deleted is what DELE named since the last RSET, and nothing is deleted by anything else.
        #[test]
        fn only_dele_deletes(lines in proptest::collection::vec(
            (proptest::prop_oneof![Just("DELE "), Just("RSET "), Just("RETR "), Just("LAST "), Just("LIST ")],
                proptest::prop_oneof![(0_u64..6).prop_map(|number| number.to_string().into_bytes()), any::<Vec<u8>>()]), 0..30)) {
            let mut session = session();
            let mut model = std::collections::BTreeSet::new();
            for (verb, argument) in lines {
                let line = [verb.as_bytes(), &argument].concat();
                session.answer(Command::parse(Line::Complete(line.clone())));
                let number = number::scan(&argument[argument.iter().take_while(|byte| **byte == b' ').count()..]);
                match verb {
                    _ if line.contains(&0) => {}
                    "DELE " if number.1 > 0 && (1..=3).contains(&number.0) => drop(model.insert(number.0)),
                    "RSET " => model.clear(),
                    _ => {}
                }
            }
            let deleted: Vec<&[u8]> = session.deleted().map(|message| message.name.as_slice()).collect();
            prop_assert_eq!(deleted.len(), model.len());
            prop_assert!(session.present().count() + deleted.len() == 3);
        }
    }
}
