//! A copy of the queue, from which its messages can be put into another queue.
//!
//! A snapshot is a directory, of mode 0700, with one file:
//!
//! | file | holds |
//! |---|---|
//! | `unfinished` | a snapshot that is being taken, or was broken off: nobody restores from it |
//! | `messages` | the whole snapshot: `unfinished` gets this name once all of it is on disk |
//!
//! The file begins with a line that names the format and the snapshot. Then comes each message, as its files in the
//! queue have it; see [`message`]. Its last line is `end` and the number of messages.
//!
//! | module | |
//! |---|---|
//! | `message` | a message of a snapshot, in memory and in the file |
//! | `look` | a message of the queue, whole, while qmail-send works on it |
//! | `take` | the order `snapshot` |
//! | `archive` | reading a snapshot |
//! | `delivery_log` | what qmail-send's log says was delivered since |
//! | `place` | a message into the queue, once |
//! | `record` | what was put into the queue |
//! | `restore` | the order `restore` |
//! | `report` | what that prints |
//! | `rights` | as which account the queue is touched |

pub mod archive;
pub mod delivery_log;
pub mod look;
pub mod message;
pub mod place;
pub mod record;
pub mod report;
pub mod restore;
pub mod rights;
pub mod take;

use std::io;
use unix::failure::Failure;

/// The file in which a snapshot is being written.
const UNFINISHED: &str = "unfinished";
/// The file of a whole snapshot.
const MESSAGES: &str = "messages";
/// What its first line begins with; the name of the snapshot follows.
const MAGIC: &str = "qmail-queue snapshot 1 ";

/// Nobody reads what we print, or not all of it.
pub(super) fn unwritten(error: io::Error) -> Failure {
    Failure::temporary("unable to write to standard output").because(&error)
}

/// Who may not touch a file may not the next time either.
fn refused(what: &str, error: &io::Error) -> Failure {
    let failure = match error.kind() {
        io::ErrorKind::PermissionDenied => Failure::permanent(what),
        _ => Failure::temporary(what),
    };
    failure.because(error)
}
