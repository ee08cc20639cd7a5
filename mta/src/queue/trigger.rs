//! The trigger: a FIFO by which qmail-queue tells qmail-send that there is new mail in todo.
//!
//! It may be lost without harm: qmail-send looks into todo every 25 minutes anyway.

use super::layout;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use unix::fifo;

/// Tells qmail-send, if one runs. The queue directory is the working directory.
pub fn pull() {
    if let Ok(mut fifo) = fifo::open_writer(Path::new(layout::TRIGGER)) {
        let _ = fifo.write(&[0]);
    }
}

/// The side of qmail-send. Readable once the trigger was pulled.
pub struct Trigger {
    fifo: Option<File>,
}

impl Trigger {
    /// Arms the trigger. Trouble with the FIFO leaves it unarmed until the next time.
    pub fn arm() -> Trigger {
        Trigger { fifo: fifo::open_reader(Path::new(layout::TRIGGER)).ok() }
    }

    /// Forgets what was pulled so far. Look into todo after this, not before: then a message that comes
    /// in between is either found there or pulls the new trigger.
    pub fn rearm(&mut self) {
        // Closed first: pending bytes stay as long as anybody has the FIFO open.
        self.fifo = None;
        *self = Trigger::arm();
        // Somebody who stopped between pulling and closing keeps the bytes alive, which would call us for ever.
        // What a pipe holds is read once; who goes on pulling is heard the next time.
        let mut pulled = vec![0; 64 * 1024];
        let _ = self.fifo.as_mut().map(|fifo| fifo.read(&mut pulled));
    }

    /// What to wait for.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.fifo.as_ref().map(AsFd::as_fd)
    }
}
