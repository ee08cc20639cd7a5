//! What the caller of `qmail-queue`, or of a program in its place, gives on descriptors 0 and 1.

use super::enqueue_error::EnqueueError;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use unix::descriptor::Standard;
use unix::inherited;
use unix::poll::{self, Interest};

/// A descriptor that the caller gave us, with the time that is left for all of it.
pub struct Input {
    descriptor: Standard,
    was_closed: bool,
    deadline: Option<Instant>,
}

impl Input {
    /// The descriptor with this number. Reading ends at the deadline, if there is one.
    pub fn new(number: u8, descriptor: Standard, deadline: Option<Instant>) -> Input {
        Input { descriptor, was_closed: inherited::was_closed(number), deadline }
    }

    /// The next piece, or nothing at the end. A closed descriptor is an error, not an empty message.
    pub fn read<'a>(&mut self, buffer: &'a mut [u8]) -> Result<Option<&'a [u8]>, EnqueueError> {
        if self.was_closed {
            return Err(EnqueueError::Read);
        }
        let length = loop {
            let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Err(EnqueueError::Timeout);
            }
            // A descriptor that cannot be polled is left to read, which says what is wrong with it.
            if !poll::wait_one(self.descriptor.as_fd(), Interest::Read, left).unwrap_or(true) {
                continue;
            }
            match self.descriptor.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Err(EnqueueError::Read),
                Ok(length) => break length,
            }
        };
        Ok(buffer.get(..length).filter(|piece| !piece.is_empty()))
    }
}
