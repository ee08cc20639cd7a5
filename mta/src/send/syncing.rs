//! A batch of new mail on its way to the disk, in a thread that does nothing else.
//!
//! The disk takes its time, and meanwhile deliveries begin and end. The thread lives as long as its batch, and no process is forked
//! while it does: see [`Syncing::wait`].

use super::preprocess::{self, Prepared, Synced};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;
use unix::poll::{self, Interest};
use unix::{descriptor, process};

/// It waits, and calls little else.
const STACK: usize = 256 * 1024;

/// The batch.
pub enum Syncing {
    /// The thread waits for the disk.
    Running {
        /// Gives back the batch.
        thread: JoinHandle<Synced>,
        /// Ends when the thread does.
        end: File,
    },
    /// It is over.
    Over(Synced),
}

impl Syncing {
    /// Begins. Where there is no thread to be had, it is over when this returns.
    pub fn begin(batch: Vec<Prepared>) -> Syncing {
        let Ok((end, writer)) = descriptor::pipe() else { return Syncing::Over(preprocess::sync(batch)) };
        process::keep_one_arena();
        // The batch follows when there is a thread; given to it at once, it would be lost if there were none.
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let work = move || {
            let synced = receiver.recv().map(preprocess::sync).unwrap_or_default();
            drop(writer);
            synced
        };
        match Builder::new().stack_size(STACK).spawn(work) {
            Ok(thread) => match sender.send(batch) {
                Ok(()) => Syncing::Running { thread, end: File::from(end) },
                Err(unsent) => Syncing::Over(preprocess::sync(unsent.0)),
            },
            Err(_) => Syncing::Over(preprocess::sync(batch)),
        }
    }

    /// Can be read when the thread has ended.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Syncing::Running { end, .. } => Some(end.as_fd()),
            Syncing::Over(_) => None,
        }
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        let has_ended = |end| poll::wait_one(end, Interest::Read, Some(Duration::ZERO)).unwrap_or(true);
        self.descriptor().is_none_or(has_ended)
    }

    /// Waits until it is over. From then on there is no second thread, and this process may fork.
    pub fn wait(self) -> Syncing {
        Syncing::Over(self.finish())
    }

    /// What came of it, once it is over.
    pub fn finish(self) -> Synced {
        match self {
            // A thread that died has synced nothing that counts: all of it is in todo as before.
            Syncing::Running { thread, .. } => thread.join().unwrap_or_default(),
            Syncing::Over(synced) => synced,
        }
    }
}
