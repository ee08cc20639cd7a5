//! One round of `maildirserial`: which messages are offered, and what a report about one of them calls for.

use super::message::Message;
use super::protocol::Status;
use crate::deliver::mailbox::maildir_listing;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use unix::failure::{self, Failure};

/// Messages that are not offered again in this run.
pub type Dead = HashSet<Vec<u8>>;

/// The messages of the maildir that is the working directory which are for this prefix, oldest first; what was left in `tmp` is
/// cleared away. `unreadable` is told of files that cannot be looked into.
///
/// # Errors
/// Temporary; a directory cannot be read.
pub fn offered(
    prefix: &[u8],
    now: i64,
    dead: &Dead,
    mut unreadable: impl FnMut(&[u8], &std::io::Error),
) -> Result<Vec<Vec<u8>>, Failure> {
    let maildir = Path::new(".");
    maildir_listing::clean_tmp(maildir, now);
    let messages = maildir_listing::messages(maildir, &["new", "cur"], now)?;
    let mut names = Vec::new();
    for message in messages {
        let name = message.path.as_os_str().as_bytes();
        // A link, or a directory, is nothing that a delivery put there.
        let is_file = fs::symlink_metadata(&message.path).is_ok_and(|metadata| metadata.is_file());
        if dead.contains(name) || !is_file {
            continue;
        }
        match is_for(prefix, &message.path) {
            Ok(true) => names.push(name.to_vec()),
            Ok(false) => {}
            // A reader took it.
            Err(error) if failure::is_absent(&error) => {}
            Err(error) => unreadable(name, &error),
        }
    }
    Ok(names)
}

/// Without a prefix all messages are for the client.
fn is_for(prefix: &[u8], path: &Path) -> std::io::Result<bool> {
    Ok(prefix.is_empty() || Message::open(path, prefix)?.is_some())
}

/// What is to be done with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The host has it: it is removed.
    Delivered,
    /// Its sender is told, and it is removed.
    Bounced {
        /// It was only put off, but for too long.
        is_too_old: bool,
    },
    /// It stays, although the host will not take it.
    Failed,
    /// It stays.
    PutOff,
}

impl Fate {
    /// What a status calls for. `is_too_old` is asked only if it matters.
    pub fn of(status: Status, bounces: bool, is_too_old: impl FnOnce() -> bool) -> Fate {
        let (is_refused, is_too_old) = match status {
            Status::Accepted => return Fate::Delivered,
            Status::Refused => (true, false),
            Status::PutOff => {
                let is_too_old = is_too_old();
                (is_too_old, is_too_old)
            }
        };
        match (is_refused, bounces) {
            (true, true) => Fate::Bounced { is_too_old },
            (true, false) => Fate::Failed,
            (false, _) => Fate::PutOff,
        }
    }
}

/// When a message was delivered into the maildir, in Unix seconds.
///
/// # Errors
/// It cannot be looked at.
pub fn delivered(name: &[u8]) -> std::io::Result<i64> {
    use std::os::unix::fs::MetadataExt;
    Ok(fs::metadata(Path::new(OsStr::from_bytes(name)))?.mtime())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_its_age_and_the_option_decide() {
        let fate = |status, bounces, is_old| Fate::of(status, bounces, || is_old);
        for is_old in [false, true] {
            assert_eq!(fate(Status::Accepted, true, is_old), Fate::Delivered);
            assert_eq!(fate(Status::Refused, true, is_old), Fate::Bounced { is_too_old: false });
            assert_eq!(fate(Status::Refused, false, is_old), Fate::Failed);
        }
        assert_eq!(fate(Status::PutOff, true, false), Fate::PutOff);
        assert_eq!(fate(Status::PutOff, true, true), Fate::Bounced { is_too_old: true });
        assert_eq!(fate(Status::PutOff, false, true), Fate::Failed);
        assert_eq!(fate(Status::PutOff, false, false), Fate::PutOff);
    }
}
