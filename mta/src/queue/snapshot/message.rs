//! A message of a snapshot: lines with its number, birth and hold, then its files in the queue, each behind a line with
//! its kind and its length in bytes and before a line end.
//!
//! ```text
//! message 10437678
//! birth 1790000000
//! held
//! info 10
//! Fa@b.example␀
//! local 15
//! Tjoe@x.example␀
//! mess 2041
//! Received: …
//! ```
//!
//! A message that was not preprocessed has `todo` in place of info and birth. The text comes last.

use crate::queue::envelope::{Record, records};
use crate::queue::layout::{Kind, MessageNumber};
use crate::send::channel::{ByChannel, Channel};
use std::io::{self, BufRead, Read};
use unix::number;

/// A message, but for its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its number in the queue that it was copied from.
    pub number: MessageNumber,
    /// To whom it goes, and how far it has come.
    pub state: State,
    /// Size of its text in bytes.
    pub size: u64,
}

/// The states of an accepted message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// S4, with the contents of todo.
    Queued(Vec<u8>),
    /// S5.
    Preprocessed(Preprocessed),
}

/// What the queue has of a preprocessed message: the contents of its files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preprocessed {
    /// When it was queued, in seconds since 1970.
    pub birth: u64,
    /// Whether it waits until an administrator releases it.
    pub held: bool,
    /// The envelope sender.
    pub info: Vec<u8>,
    /// The recipients; a channel on which all were done has no file.
    pub channels: ByChannel<Option<Vec<u8>>>,
    /// The recipients that failed.
    pub bounce: Option<Vec<u8>>,
}

/// A recipient who is not done. The channel is known once the message is preprocessed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The way that his mail takes.
    pub channel: Option<Channel>,
    /// His address.
    pub address: Vec<u8>,
}

impl Message {
    /// All that stands before the text.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = format!("message {}\n", self.number).into_bytes();
        match &self.state {
            State::Queued(todo) => put(&mut out, Kind::Todo, todo),
            State::Preprocessed(found) => {
                out.extend(format!("birth {}\n", found.birth).into_bytes());
                if found.held {
                    out.extend_from_slice(b"held\n");
                }
                put(&mut out, Kind::Info, &found.info);
                for (kind, contents) in found.other_files() {
                    put(&mut out, kind, contents);
                }
            }
        }
        out.extend(format!("mess {}\n", self.size).into_bytes());
        out
    }

    /// Reads up to the text: the message, or how many there are at the end of the snapshot.
    ///
    /// # Errors
    /// What is read is no snapshot, or a piece of one.
    pub fn decode(input: &mut impl BufRead) -> io::Result<Result<Message, u64>> {
        let number = match Line::read(input)? {
            Line::End(count) => return Ok(Err(count)),
            Line::Message(number) => number,
            _ => return Err(damaged()),
        };
        let (mut todo, mut info, mut found) = (None, None, Preprocessed::default());
        loop {
            match Line::read(input)? {
                Line::Birth(birth) => found.birth = birth,
                Line::Held => found.held = true,
                Line::File(Kind::Todo, length) => todo = Some(contents(input, length)?),
                Line::File(Kind::Info, length) => info = Some(contents(input, length)?),
                Line::File(Kind::Local, length) => found.channels.local = Some(contents(input, length)?),
                Line::File(Kind::Remote, length) => found.channels.remote = Some(contents(input, length)?),
                Line::File(Kind::Bounce, length) => found.bounce = Some(contents(input, length)?),
                Line::File(Kind::Mess, size) => {
                    let state = match (todo, info) {
                        (Some(todo), None) => State::Queued(todo),
                        (None, Some(info)) => State::Preprocessed(Preprocessed { info, ..found }),
                        _ => return Err(damaged()),
                    };
                    return Ok(Ok(Message { number, state, size }));
                }
                Line::File(Kind::Intd, _) | Line::Message(_) | Line::End(_) => return Err(damaged()),
            }
        }
    }

    /// The envelope sender.
    pub fn sender(&self) -> &[u8] {
        let file = match &self.state {
            State::Queued(todo) => todo,
            State::Preprocessed(found) => &found.info,
        };
        let sender = records(file).find_map(|record| match record {
            Record::Sender(sender) => Some(sender),
            _ => None,
        });
        sender.unwrap_or_default()
    }

    /// The recipients who are not done.
    pub fn waiting(&self) -> Vec<Waiting> {
        let of = |file: &[u8], channel: Option<Channel>| -> Vec<Waiting> {
            let addresses = records(file).filter_map(|record| match record {
                Record::Recipient(address) => Some(address.to_vec()),
                _ => None,
            });
            addresses.map(|address| Waiting { channel, address }).collect()
        };
        match &self.state {
            State::Queued(todo) => of(todo, None),
            State::Preprocessed(found) => Channel::ALL
                .into_iter()
                .flat_map(|channel| {
                    of(found.channels.get(channel).as_deref().unwrap_or_default(), Some(channel))
                })
                .collect(),
        }
    }

    /// Whether the sender is still to be told of recipients that failed.
    pub fn is_bouncing(&self) -> bool {
        matches!(&self.state, State::Preprocessed(found) if found.bounce.is_some())
    }

    /// Whether nothing is left to do: nobody waits, and nobody is to be told. A damaged record may be somebody.
    pub fn is_finished(&self) -> bool {
        let is_done = |file: &[u8]| records(file).all(|record| matches!(record, Record::Done(_)));
        match &self.state {
            State::Queued(_) => self.waiting().is_empty(),
            State::Preprocessed(found) => {
                let channels = [&found.channels.local, &found.channels.remote];
                found.bounce.is_none() && channels.into_iter().flatten().all(|file| is_done(file))
            }
        }
    }
}

impl Preprocessed {
    /// The files beside info that there are.
    pub fn other_files(&self) -> impl Iterator<Item = (Kind, &[u8])> {
        let ByChannel { local, remote } = &self.channels;
        let files = [(Kind::Local, local), (Kind::Remote, remote), (Kind::Bounce, &self.bounce)];
        files.into_iter().filter_map(|(kind, contents)| Some((kind, contents.as_deref()?)))
    }
}

fn put(out: &mut Vec<u8>, kind: Kind, contents: &[u8]) {
    out.extend(format!("{} {}\n", kind.directory(), contents.len()).into_bytes());
    out.extend_from_slice(contents);
    out.push(b'\n');
}

/// A line between two contents.
enum Line {
    Message(MessageNumber),
    Birth(u64),
    Held,
    File(Kind, u64),
    End(u64),
}

/// Longest line, in bytes.
const LINE_LIMIT: u64 = 64;

impl Line {
    fn read(input: &mut impl BufRead) -> io::Result<Line> {
        let mut line = Vec::new();
        input.by_ref().take(LINE_LIMIT).read_until(b'\n', &mut line)?;
        line.strip_suffix(b"\n").and_then(Line::decode).ok_or_else(damaged)
    }

    fn decode(line: &[u8]) -> Option<Line> {
        let space = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
        let (word, rest) = line.split_at_checked(space)?;
        let value = rest.strip_prefix(b" ").and_then(number::whole);
        match (word, value) {
            (b"message", Some(number)) => Some(Line::Message(MessageNumber(number))),
            (b"birth", Some(birth)) => Some(Line::Birth(birth)),
            (b"held", None) => Some(Line::Held),
            (b"end", Some(count)) => Some(Line::End(count)),
            (word, Some(length)) => {
                let kinds = [Kind::Mess, Kind::Todo, Kind::Info, Kind::Local, Kind::Remote, Kind::Bounce];
                let kind = kinds.into_iter().find(|kind| kind.directory().as_bytes() == word)?;
                Some(Line::File(kind, length))
            }
            _ => None,
        }
    }
}

/// The contents of a file, and the line end behind them. A length that is a lie costs no more than there is.
fn contents(input: &mut impl BufRead, length: u64) -> io::Result<Vec<u8>> {
    let mut contents = Vec::new();
    let read = input.by_ref().take(length).read_to_end(&mut contents)?;
    if u64::try_from(read).ok() != Some(length) {
        return Err(damaged());
    }
    end_of_contents(input)?;
    Ok(contents)
}

/// Reads the line end that follows contents.
pub fn end_of_contents(input: &mut impl Read) -> io::Result<()> {
    let mut end = [0];
    match input.read_exact(&mut end) {
        Ok(()) if end == *b"\n" => Ok(()),
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
        _ => Err(damaged()),
    }
}

/// It is no snapshot, or a piece of one.
pub fn damaged() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{Strategy, any, proptest};
    use proptest::{collection, option};

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        collection::vec(any::<u8>(), 0..20)
    }

    fn state() -> impl Strategy<Value = State> {
        let parts = (any::<u64>(), any::<bool>(), bytes(), option::of(bytes()), option::of(bytes()));
        let preprocessed =
            (parts, option::of(bytes())).prop_map(|((birth, held, info, local, remote), bounce)| {
                let channels = ByChannel { local, remote };
                State::Preprocessed(Preprocessed { birth, held, info, channels, bounce })
            });
        proptest::prop_oneof![bytes().prop_map(State::Queued), preprocessed]
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_and_a_piece_of_it_is_damaged(
            number: u64, state in state(), size: u64, cut in 0_usize..200
        ) {
            let message = Message { number: MessageNumber(number), state, size };
            let encoded = message.encode();
            let mut input = encoded.as_slice();
            assert_eq!(Message::decode(&mut input).unwrap(), Ok(message));
            assert!(input.is_empty());
            if let Some(mut piece) = encoded.get(..cut).filter(|piece| piece.len() < encoded.len()) {
                assert_eq!(Message::decode(&mut piece).unwrap_err().kind(), io::ErrorKind::InvalidData);
            }
        }

        /// M7
        #[test]
        fn m7_any_bytes_can_be_read(noise in collection::vec(any::<u8>(), 0..100)) {
            let _ = Message::decode(&mut noise.as_slice());
            let behind = [b"message 7\nlocal ", noise.as_slice()].concat();
            let _ = Message::decode(&mut behind.as_slice());
        }
    }

    fn message(state: State) -> Message {
        Message { number: MessageNumber(7), state, size: 3 }
    }

    #[test]
    fn whoever_is_not_done_waits() {
        let queued = message(State::Queued(b"u1\0p2\0Fs@x\0Ta@b\0Tc@d\0Te".to_vec()));
        let waiting = |channel, address: &str| Waiting { channel, address: address.as_bytes().to_vec() };
        assert_eq!(queued.waiting(), [waiting(None, "a@b"), waiting(None, "c@d")]);
        assert_eq!(queued.sender(), b"s@x");
        let channels = ByChannel { local: Some(b"Da\0Tb\0".to_vec()), remote: Some(b"Dc\0".to_vec()) };
        let found = Preprocessed { info: b"Fs\0".to_vec(), channels, ..Preprocessed::default() };
        let message = message(State::Preprocessed(found));
        assert_eq!(message.waiting(), [waiting(Some(Channel::Local), "b")]);
        assert!(!message.is_finished());
    }

    #[test]
    fn a_message_is_finished_when_nobody_waits_and_nobody_is_to_be_told() {
        let with = |local: &[u8], bounce: Option<&[u8]>| {
            let channels = ByChannel { local: Some(local.to_vec()), remote: None };
            let bounce = bounce.map(<[u8]>::to_vec);
            message(State::Preprocessed(Preprocessed { channels, bounce, ..Preprocessed::default() }))
        };
        assert!(with(b"Da\0", None).is_finished());
        assert!(!with(b"Da\0", Some(b"<a>:\n\n")).is_finished());
        assert!(!with(b"Da\0Xb\0", None).is_finished());
        assert!(!with(b"Ta\0", None).is_finished());
    }
}
