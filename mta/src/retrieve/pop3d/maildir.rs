//! The mailbox on disk, maildir(5), for its owner: the working directory.
//!
//! Other readers and deliveries work in it at the same time. Only regular files are messages: a link may lead
//! out of the mailbox, and a FIFO would be waited for.

use super::session::{Message, Place};
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use unix::{failure, file, number};

/// Seconds after which a file in `tmp` belongs to no delivery any more: a day and a half.
const STALE: i64 = 36 * 60 * 60;
/// A file that is dated so many seconds ahead, or less, may have been written just now on another host.
const SKEW: i64 = 60;

/// Removes what deliveries that were broken off have left in `tmp`. What cannot be removed stays.
pub fn clean(now: i64) {
    let Ok(entries) = fs::read_dir("tmp") else { return };
    for entry in entries.flatten() {
        let is_stale =
            |metadata: Metadata| metadata.is_file() && metadata.atime() < now.saturating_sub(STALE);
        if !is_hidden(&entry.file_name()) && entry.metadata().is_ok_and(is_stale) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The messages, oldest first: by the time that their names begin with, which stays the same when a file is
/// copied; a name without one counts by the time of its file.
///
/// A message of this very second waits for the next session: another one may be put before it.
///
/// # Errors
/// A directory or the state of a file cannot be read; what was found is then not the whole mailbox.
pub fn scan(now: i64) -> io::Result<Vec<Message>> {
    let mut found = Vec::new();
    for place in [Place::New, Place::Cur] {
        for entry in fs::read_dir(directory(place))? {
            let entry = entry?;
            let name = entry.file_name();
            if is_hidden(&name) {
                continue;
            }
            match entry.metadata() {
                Ok(metadata) if metadata.is_file() && is_settled(metadata.mtime(), now) => {
                    let name = name.into_vec();
                    let time = time_of(&name).unwrap_or(metadata.mtime());
                    let message = Message { place, name, size: metadata.size() };
                    found.push((time, metadata.mtime(), message));
                }
                Ok(_) => {}
                // Another reader was faster.
                Err(error) if failure::is_absent(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
    found.sort_by(|(time, mtime, message), (other_time, other_mtime, other)| {
        (time, mtime, &message.name).cmp(&(other_time, other_mtime, &other.name))
    });
    Ok(found.into_iter().map(|(_, _, message)| message).collect())
}

/// Opens a message.
///
/// # Errors
/// It is not there any more, or it cannot be read, or what has its name now is no regular file.
pub fn open(message: &Message) -> io::Result<File> {
    let file = wherever_it_is(message, file::open_read_no_follow)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

/// Deletes a message.
pub fn delete(message: &Message) -> io::Result<()> {
    wherever_it_is(message, |path| fs::remove_file(path))
}

/// Does something with a message that another session may have marked as seen since ours began.
fn wherever_it_is<T>(message: &Message, act: impl Fn(&Path) -> io::Result<T>) -> io::Result<T> {
    match act(&path(message)) {
        Err(error) if failure::is_absent(&error) && message.place == Place::New => act(&seen_path(message)),
        result => result,
    }
}

/// Moves a message from `new` to `cur`, as seen by a reader that keeps no flags. A file that is there under
/// that name stays, and then so does the message.
pub fn mark_as_seen(message: &Message) {
    if message.place == Place::New {
        let _ = file::rename_to_new(&path(message), &seen_path(message));
    }
}

/// The name in `cur` of a message that was in `new`.
fn seen_path(message: &Message) -> PathBuf {
    let name = [message.name.as_slice(), b":2,"].concat();
    directory(Place::Cur).join(OsStr::from_bytes(&name))
}

fn directory(place: Place) -> &'static Path {
    Path::new(match place {
        Place::New => "new",
        Place::Cur => "cur",
    })
}

fn path(message: &Message) -> PathBuf {
    directory(message.place).join(OsStr::from_bytes(&message.name))
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b".")
}

/// Whether no other message will be put before one of that time. A date in the far future is a mistaken one.
fn is_settled(mtime: i64, now: i64) -> bool {
    mtime < now || mtime > now.saturating_add(SKEW)
}

/// `TIME.…`
fn time_of(name: &[u8]) -> Option<i64> {
    let (time, digits) = number::scan(name);
    (digits > 0 && name.get(digits) == Some(&b'.')).then(|| i64::try_from(time).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_begins_with_its_time_and_a_dot() {
        assert_eq!(time_of(b"1795371158.M362894P277.host"), Some(1_795_371_158));
        for other in [&b"1795371158"[..], b"a.1", b".1", b"", b"99999999999999999999999.x"] {
            assert_eq!(time_of(other), None);
        }
    }

    /// R6: a clock that was wrong for a moment hides no message for years.
    #[test]
    fn r6_only_messages_of_this_moment_wait() {
        for (mtime, settled) in [(99, true), (100, false), (160, false), (161, true), (i64::MAX, true)] {
            assert_eq!(is_settled(mtime, 100), settled, "{mtime}");
        }
    }
}
