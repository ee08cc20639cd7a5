//! A new message file: the inode number that the file system gives it names the message.

use super::layout::{self, Kind, MessageNumber};
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use unix::stamp::Stamp;
use unix::{file, lock, process};

/// Which step failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Making the file in pid, or taking that name of it away.
    PidFile,
    /// Giving it its name in mess.
    Link,
}

/// S1→S2: makes an empty message file under its name in mess. The queue is the working directory.
///
/// The collector of stray messages takes nothing whose lock is held, however old the clock makes it; the lock
/// lasts as long as the file is open. A crash leaves a stray, which is collected later.
pub fn create() -> Result<(MessageNumber, File), (Step, io::Error)> {
    let pid_file = |error| (Step::PidFile, error);
    let (pid_path, mess) = create_pid_file().map_err(pid_file)?;
    let number = MessageNumber(mess.metadata().map_err(pid_file)?.ino());
    let _ = lock::try_exclusive(&mess);
    let linked = fs::hard_link(&pid_path, Kind::Mess.path(number));
    if let Err(error) = linked {
        // Where the name is taken the pid file stays, and with it the inode: the next message gets another number.
        if !is_taken(&error) {
            let _ = fs::remove_file(&pid_path);
        }
        return Err((Step::Link, error));
    }
    if let Err(error) = fs::remove_file(&pid_path) {
        let _ = fs::remove_file(Kind::Mess.path(number));
        return Err(pid_file(error));
    }
    Ok((number, mess))
}

/// Whether two messages have the same text, to the byte.
pub fn is_same_text(one: impl Read, other: impl Read) -> io::Result<bool> {
    let (mut one, mut other) = (BufReader::new(one).bytes(), BufReader::new(other).bytes());
    loop {
        match (one.next().transpose()?, other.next().transpose()?) {
            (None, None) => return Ok(true),
            (one, other) if one != other => return Ok(false),
            _ => {}
        }
    }
}

/// A name of an earlier message is in the way, left behind by somebody who removed only part of one.
///
/// Were the new file removed, its inode would be free, the next message would get the same number, and none
/// could be queued any more. So the file stays and keeps the inode.
pub fn is_taken(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AlreadyExists
}

/// A file under a name that nobody else can have chosen, in the directory that shares a file system with mess.
fn create_pid_file() -> io::Result<(PathBuf, File)> {
    let (pid, seconds) = (process::own_pid(), Stamp::now().seconds);
    let mut last = io::ErrorKind::AlreadyExists.into();
    for sequence in 1..=9 {
        let path = Path::new(layout::PID).join(format!("{pid}.{seconds}.{sequence}"));
        match file::create_new(&path, 0o644) {
            Ok(file) => return Ok((path, file)),
            Err(error) => last = error,
        }
    }
    Err(last)
}
