//! Names in the queue: `mess/R/N`, `todo/N` and so on, all relative to `HOME/queue`.

use crate::control::{Control, Unreadable};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use unix::{failure, number};

/// Number of subdirectories of mess, info, local and remote, unless `control/conf-split` has another.
pub const DEFAULT_SPLIT: u64 = 23;
/// More would cost more than they save.
const MOST_PARTS: u64 = 10_000;
/// The number for this process.
static SPLIT: AtomicU64 = AtomicU64::new(DEFAULT_SPLIT);

/// Takes the number of subdirectories from `conf-split`. Every program that names files in the queue does this
/// before it names one.
///
/// # Errors
/// The file cannot be read, or has no number from 1 to 10000: nothing may be looked for, or put, anywhere.
pub fn use_split_of(control: &Control) -> Result<(), Unreadable> {
    SPLIT.store(read_split(control)?, Ordering::Relaxed);
    Ok(())
}

/// The number of subdirectories that `conf-split` says.
pub fn read_split(control: &Control) -> Result<u64, Unreadable> {
    let Some(line) = control.line("conf-split")? else { return Ok(DEFAULT_SPLIT) };
    let split = number::whole(&line).filter(|split| (1..=MOST_PARTS).contains(split));
    let invalid =
        || Unreadable { file: "control/conf-split".to_owned(), error: io::ErrorKind::InvalidData.into() };
    split.ok_or_else(invalid)
}

/// Number of subdirectories of mess, info, local and remote.
pub fn split() -> u64 {
    SPLIT.load(Ordering::Relaxed)
}

/// A message that lies where an earlier split has put it, and where nobody would look for it now.
///
/// # Errors
/// The queue cannot be looked through.
pub fn misplaced(queue: &Path) -> io::Result<Option<PathBuf>> {
    for kind in [Kind::Mess, Kind::Info, Kind::Local, Kind::Remote] {
        let top = Path::new(kind.directory());
        for part in entries(&queue.join(top))? {
            let Some(MessageNumber(part)) = MessageNumber::parse(part.as_encoded_bytes()) else { continue };
            let directory = top.join(part.to_string());
            for name in entries(&queue.join(&directory))? {
                let message = MessageNumber::parse(name.as_encoded_bytes());
                if message.is_some_and(|message| message.remainder() != part) {
                    return Ok(Some(directory.join(name)));
                }
            }
        }
    }
    Ok(None)
}

/// The names in a directory; one that is not there yet has none.
fn entries(directory: &Path) -> io::Result<Vec<std::ffi::OsString>> {
    match fs::read_dir(directory) {
        Err(error) if failure::is_absent(&error) => Ok(Vec::new()),
        Err(error) => Err(error),
        Ok(entries) => entries.map(|entry| Ok(entry?.file_name())).collect(),
    }
}

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
        self.0.checked_rem(split()).unwrap_or(0)
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

    /// Whether the directory is split into [`split`] subdirectories.
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

    /// Whether a message has a file of this kind. Any trouble but that there is none is an error.
    pub fn is_there(self, message: MessageNumber) -> io::Result<bool> {
        match fs::metadata(self.path(message)) {
            Ok(_) => Ok(true),
            Err(error) if failure::is_absent(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The directories that hold files of this kind.
    pub fn directories(self) -> Vec<PathBuf> {
        let top = PathBuf::from(self.directory());
        if self.is_split() {
            (0..split()).map(|part| top.join(part.to_string())).collect()
        } else {
            vec![top]
        }
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
