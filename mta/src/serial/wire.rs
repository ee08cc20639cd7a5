//! The connection that tcpclient made: it is read on descriptor 6 and written on descriptor 7.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};
use unix::failure::Failure;
use unix::poll::{self, Interest};
use unix::{descriptor, socket};

/// Seconds in which some of what is written has to go.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(73);

/// The connection.
pub struct Wire {
    reader: File,
    writer: File,
}

impl Wire {
    /// Takes both descriptors over.
    ///
    /// # Errors
    /// Temporary; one of them is not open.
    pub fn inherited() -> Result<Wire, Failure> {
        let reader = descriptor::inherited(6).map_err(|error| read_failure(&error))?;
        let writer = descriptor::inherited(7).map_err(|error| write_failure(&error))?;
        Ok(Wire { reader: File::from(reader), writer: File::from(writer) })
    }

    /// What is polled for something to read.
    pub fn reader(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }

    /// What is polled for room to write.
    pub fn writer(&self) -> BorrowedFd<'_> {
        self.writer.as_fd()
    }

    /// Reads what is there, or waits so long for it.
    ///
    /// # Errors
    /// Temporary; the end counts as one.
    pub fn read_within(&mut self, limit: Duration, buffer: &mut [u8]) -> Result<usize, Failure> {
        let is_ready =
            wait(self.reader.as_fd(), Interest::Read, limit).map_err(|error| read_failure(&error))?;
        if !is_ready {
            return Err(read_failure(&ErrorKind::TimedOut.into()));
        }
        self.read_now(buffer)
    }

    /// Reads when there is something to read.
    ///
    /// # Errors
    /// As for [`read_within`](Wire::read_within).
    pub fn read_now(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        loop {
            match self.reader.read(buffer) {
                Ok(0) => return Err(Failure::temporary("network read error: end of file")),
                Ok(length) => return Ok(length),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(read_failure(&error)),
            }
        }
    }

    /// Writes everything.
    ///
    /// # Errors
    /// Temporary; nothing of it went for 73 seconds, or it cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let sent = self.write_some(rest).map_err(|error| write_failure(&error))?;
            rest = rest.get(sent..).unwrap_or_default();
        }
        Ok(())
    }

    fn write_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !wait(self.writer.as_fd(), Interest::Write, WRITE_TIMEOUT)? {
            return Err(ErrorKind::TimedOut.into());
        }
        self.write_now(bytes)
    }

    /// Writes as much as can be written at once, when there is room; 0 if there was none after all.
    pub fn write_now(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match socket::write_without_waiting(&self.writer, bytes) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(0),
            other => other,
        }
    }
}

/// The failure of a read.
pub fn read_failure(error: &io::Error) -> Failure {
    Failure::temporary("network read error").because(error)
}

fn write_failure(error: &io::Error) -> Failure {
    Failure::temporary("network write error").because(error)
}

/// Whether the descriptor is ready in time, whatever signals come meanwhile.
fn wait(descriptor: BorrowedFd<'_>, interest: Interest, limit: Duration) -> io::Result<bool> {
    let start = Instant::now();
    loop {
        let left = limit.saturating_sub(start.elapsed());
        if poll::wait_one(descriptor, interest, Some(left))? {
            return Ok(true);
        }
        if left.is_zero() {
            return Ok(false);
        }
    }
}
