//! Stray messages: files in mess that a killed qmail-queue left behind.
//!
//! A stray has neither info nor todo, has not been touched for 36 hours, and no qmail-queue holds its lock.
//! The last counts most: when the clock jumps, a message that is being received looks old, and is not.

use super::cleaner::{Answer, Cleaner};
use super::log::Log;
use crate::queue::layout::{Kind, MessageNumber};
use std::fs::{self, File, ReadDir};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::vec;
use unix::{failure, file, lock};

/// qmail-queue gives up after 24 hours.
const STRAY_AGE: i64 = 36 * 3600;
/// Seconds from one walk to the next.
const INTERVAL: i64 = 76_431;
/// Entries looked at before deliveries get their turn again.
const ENTRIES_PER_STEP: usize = 64;

/// A walk through mess, a few entries at a time, and the time of the next one.
pub struct Cleanup {
    next_walk: i64,
    directories: vec::IntoIter<PathBuf>,
    entries: Option<ReadDir>,
}

impl Cleanup {
    /// The first walk is due at once.
    pub fn new(steady: i64) -> Cleanup {
        Cleanup { next_walk: steady, directories: Vec::new().into_iter(), entries: None }
    }

    /// When there is something to do.
    pub fn next_due(&self, steady: i64) -> i64 {
        if self.is_walking() { steady } else { self.next_walk }
    }

    fn is_walking(&self) -> bool {
        self.entries.is_some() || self.directories.len() > 0
    }

    /// Goes on with the walk, or begins one that is due.
    pub fn step(&mut self, now: unix::clock::Now, cleaner: &mut Cleaner, log: &mut Log) {
        if !self.is_walking() {
            if now.steady < self.next_walk {
                return;
            }
            self.next_walk = now.steady.saturating_add(INTERVAL);
            self.directories = Kind::Mess.directories().into_iter();
        }
        for _ in 0..ENTRIES_PER_STEP {
            let Some(message) = self.next_entry(log) else { return };
            // The lock is kept until qmail-clean has answered: nobody can be receiving the message meanwhile.
            if let Some((message, _lock)) =
                message.and_then(|message| Some((message, stray(message, now.wall)?)))
            {
                remove(message, cleaner, log);
            }
        }
    }

    /// The next entry (`Some(None)`: one that is no message), or nothing where this step has to end.
    fn next_entry(&mut self, log: &mut Log) -> Option<Option<MessageNumber>> {
        if let Some(entries) = &mut self.entries {
            match entries.next() {
                Some(Ok(entry)) => return Some(MessageNumber::parse(entry.file_name().as_encoded_bytes())),
                _ => self.entries = None,
            }
        }
        let directory = self.directories.next()?;
        match fs::read_dir(&directory) {
            Ok(entries) => self.entries = Some(entries),
            Err(_) => log.warning(format!("unable to open {}", directory.display())),
        }
        Some(None)
    }
}

/// The locked mess file of a message that is a stray.
///
/// qmail-queue holds the lock from before the name in mess is made until the message is queued. So once the
/// lock is had, a message that was being received is in todo, and everything else is what it seems.
fn stray(message: MessageNumber, wall: i64) -> Option<File> {
    let mess = file::open_read(&Kind::Mess.path(message)).ok()?;
    lock::try_exclusive(&mess).ok()?;
    let is_absent =
        |kind: Kind| matches!(fs::metadata(kind.path(message)), Err(error) if failure::is_absent(&error));
    let is_old = wall.saturating_sub(mess.metadata().ok()?.atime()) > STRAY_AGE;
    (is_old && is_absent(Kind::Info) && is_absent(Kind::Todo)).then_some(mess)
}

fn remove(message: MessageNumber, cleaner: &mut Cleaner, log: &mut Log) {
    if cleaner.remove_stray(message) == Answer::Failed {
        log.warning(format!("qmail-clean unable to clean up foop/{message}"));
    }
}
