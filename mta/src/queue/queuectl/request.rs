//! What qmail-queuectl says to qmail-send, and what it hears: lines of words, each request with one answer, in order.

use crate::queue::layout::MessageNumber;
use unix::number;

/// Something to be done with a message that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// No further attempts until it is released.
    Hold,
    /// The end of a hold.
    Release,
    /// An attempt now.
    Retry,
    /// No further attempts, and the sender is told.
    Expire,
    /// No further attempts, and nobody is told.
    Remove,
    /// It was restored from a snapshot a moment ago: from now on it is due like others. No order of the command line.
    Load,
}

impl Action {
    /// All of them.
    pub const ALL: [Action; 6] =
        [Action::Hold, Action::Release, Action::Retry, Action::Expire, Action::Remove, Action::Load];

    /// The word for it, on the command line, on the wire and in the log.
    pub fn word(self) -> &'static str {
        match self {
            Action::Hold => "hold",
            Action::Release => "release",
            Action::Retry => "retry",
            Action::Expire => "expire",
            Action::Remove => "remove",
            Action::Load => "load",
        }
    }

    /// The action that a word stands for.
    pub fn parse(word: &[u8]) -> Option<Action> {
        Action::ALL.into_iter().find(|action| action.word().as_bytes() == word)
    }
}

/// One line of a client: an action and the message that it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// What to do.
    pub action: Action,
    /// With which message.
    pub message: MessageNumber,
}

impl Request {
    /// Longest line, with its newline, in bytes.
    pub const LONGEST: usize = 40;

    /// The line, with its newline.
    pub fn encode(&self) -> String {
        format!("{} {}\n", self.action.word(), self.message)
    }

    /// The request that a line without its newline stands for.
    pub fn decode(line: &[u8]) -> Option<Request> {
        let space = line.iter().position(|byte| *byte == b' ')?;
        let (word, rest) = line.split_at_checked(space)?;
        let message = number::whole(rest.strip_prefix(b" ")?).map(MessageNumber)?;
        Some(Request { action: Action::parse(word)?, message })
    }
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is done, and will be after a crash.
    Done,
    /// Deliveries of the message are running; it will be done when they have reported.
    Begun,
    /// There is no such message.
    Gone,
    /// The message was accepted a moment ago and is still being taken in.
    NotYet,
    /// The message is held, and has to be released first.
    Held,
    /// A file of the message could not be read or written. The message is as it was.
    Trouble,
}

impl Answer {
    const ALL: [Answer; 6] =
        [Answer::Done, Answer::Begun, Answer::Gone, Answer::NotYet, Answer::Held, Answer::Trouble];

    fn word(self) -> &'static str {
        match self {
            Answer::Done => "done",
            Answer::Begun => "begun",
            Answer::Gone => "gone",
            Answer::NotYet => "notyet",
            Answer::Held => "held",
            Answer::Trouble => "trouble",
        }
    }

    /// The line, with its newline.
    pub fn encode(self) -> String {
        format!("{}\n", self.word())
    }

    /// The answer that a line without its newline stands for.
    pub fn decode(line: &[u8]) -> Option<Answer> {
        Answer::ALL.into_iter().find(|answer| answer.word().as_bytes() == line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        for action in Action::ALL {
            let request = Request { action, message: MessageNumber(u64::MAX) };
            let line = request.encode();
            assert!(line.len() <= Request::LONGEST);
            assert_eq!(Request::decode(line.trim_end().as_bytes()), Some(request));
        }
        for answer in Answer::ALL {
            assert_eq!(Answer::decode(answer.encode().trim_end().as_bytes()), Some(answer));
        }
    }

    #[test]
    fn what_is_no_request_is_none() {
        for line in [&b""[..], b"hold", b"hold ", b"hold x", b"hold 1 2", b"hold  1", b"Hold 1", b"hold -1"] {
            assert_eq!(Request::decode(line), None, "{}", line.escape_ascii());
        }
    }
}
