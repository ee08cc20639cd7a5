//! Names in the queue: `mess/R/N`, `todo/N` and so on, all relative to `HOME/queue`.

use std::fmt;
use std::path::PathBuf;
use unix::number;

/// Number of subdirectories of mess, info, local and remote.
pub const SPLIT: u64 = 23;
/// The directory of files whose inode number becomes a message number.
pub const PID: &str = "pid";
/// The FIFO that tells qmail-send of new mail.
pub const TRIGGER: &str = "lock/trigger";
/// The file whose lock says that a qmail-send runs.
pub const SEND_MUTEX: &str = "lock/sendmutex";
/// Where qmail-send listens for qmail-queuectl. The directory is qmails' alone, so that only root and qmails reach it.
pub const QUEUECTL_SOCKET: &str = "queuectl/socket";
/// The directory of the socket.
pub const QUEUECTL: &str = "queuectl";
/// The permission bit of an info file whose message is held: search, which means nothing for a file.
pub const HELD: u32 = 0o100;
/// The table of hosts that timed out.
pub const TCPTO: &str = "lock/tcpto";

/// The name of a message in the queue: the inode number of its mess file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageNumber(pub u64);

impl fmt::Display for MessageNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl MessageNumber {
    /// The number that a file name in the queue stands for: digits and nothing else.
    pub fn parse(name: &[u8]) -> Option<MessageNumber> {
        number::whole(name).map(MessageNumber)
    }

    /// The subdirectory of split directories.
    pub fn remainder(self) -> u64 {
        self.0 % SPLIT
    }
}

/// The kinds of files that a message has in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The message.
    Mess,
    /// The envelope while it is being received.
    Intd,
    /// The envelope of a queued message that waits for preprocessing.
    Todo,
    /// The envelope sender of a preprocessed message; its mtime is the message's birth.
    Info,
    /// Local recipients.
    Local,
    /// Remote recipients.
    Remote,
    /// Recipients that failed, with reasons.
    Bounce,
}

impl Kind {
    /// The directory, which is also the first part of names.
    pub fn directory(self) -> &'static str {
        match self {
            Kind::Mess => "mess",
            Kind::Intd => "intd",
            Kind::Todo => "todo",
            Kind::Info => "info",
            Kind::Local => "local",
            Kind::Remote => "remote",
            Kind::Bounce => "bounce",
        }
    }

    /// Whether the directory is split into [`SPLIT`] subdirectories.
    pub fn is_split(self) -> bool {
        matches!(self, Kind::Mess | Kind::Info | Kind::Local | Kind::Remote)
    }

    /// The name of a message's file of this kind.
    pub fn path(self, message: MessageNumber) -> PathBuf {
        PathBuf::from(self.name(message))
    }

    /// The same as text, for logs.
    pub fn name(self, message: MessageNumber) -> String {
        let directory = self.directory();
        if self.is_split() {
            format!("{directory}/{}/{message}", message.remainder())
        } else {
            format!("{directory}/{message}")
        }
    }

    /// The directories that hold files of this kind.
    pub fn directories(self) -> Vec<PathBuf> {
        let top = PathBuf::from(self.directory());
        if self.is_split() { (0..SPLIT).map(|part| top.join(part.to_string())).collect() } else { vec![top] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_documented_ones() {
        let message = MessageNumber(10_086_258);
        assert_eq!(Kind::Mess.name(message), "mess/22/10086258");
        assert_eq!(Kind::Todo.name(message), "todo/10086258");
        assert_eq!(MessageNumber::parse(b"12"), Some(MessageNumber(12)));
        assert_eq!(MessageNumber::parse(b"12a"), None);
        assert_eq!(MessageNumber::parse(b""), None);
    }
}
