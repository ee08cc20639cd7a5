//! One time limit for several waits.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use unix::poll::{self, Interest};

/// A moment after which nothing is waited for; `None` is too far away to be one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// The moment after this time.
    pub fn after(patience: Duration) -> Deadline {
        Deadline(Instant::now().checked_add(patience))
    }

    /// The time until then; an error if there is none left.
    pub fn left(&self) -> io::Result<Duration> {
        let Some(end) = self.0 else { return Ok(Duration::MAX) };
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }

    /// Waits for a descriptor.
    pub fn wait(&self, descriptor: impl AsFd, interest: Interest) -> io::Result<()> {
        while !poll::wait_one(descriptor.as_fd(), interest, Some(self.left()?))? {}
        Ok(())
    }
}
