//! The client's end of the line: descriptors 0 and 1 with buffers, and a deadline for everything.
//!
//! Replies are collected and leave when we would wait for the client, so that a client that sends several
//! commands at once gets the answers at once. No wait is without end: neither for a client that says nothing,
//! nor for one that does not read, nor for one that does either of them a byte at a time.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};
use unix::descriptor::{self, Standard};
use unix::poll::{self, Interest};
use unix::socket;

/// How long a session may last, whatever happens in it, unless the server says otherwise.
const SESSION: Duration = Duration::from_secs(4 * 60 * 60);
const READ_BUFFER: usize = 16 * 1024;
/// Replies that are kept before they leave in any case.
const REPLY_BUFFER: usize = 4 * 1024;
/// Bytes a second that a message has to come with on average, once the time for one command is over.
const SLOWEST: u64 = 50;

/// How long the client may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For one command, or to listen to us.
    pub command: Duration,
    /// For one pause within a message.
    pub pause: Duration,
    /// For everything, counted from the start.
    pub session: Duration,
}

impl Timeouts {
    /// At least a second each, and four hours for the session.
    pub fn from_seconds(command: u64, pause: u64) -> Timeouts {
        let seconds = |number: u64| Duration::from_secs(number.max(1));
        Timeouts { command: seconds(command), pause: seconds(pause), session: SESSION }
    }

    /// The same with another time for the session.
    #[must_use]
    pub fn with_session(self, session: Duration) -> Timeouts {
        Timeouts { session, ..self }
    }
}

/// Why nothing more is to be had from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// It is gone, or does not listen; there is nobody to tell anything.
    Gone,
    /// It was not heard in time.
    Silent,
    /// The session lasted too long.
    SessionTooLong,
}

/// The connection to the client.
pub struct Connection {
    input: Standard,
    output: Standard,
    received: Vec<u8>,
    /// How much of `received` was used.
    used: usize,
    /// How much is read at a time.
    read_size: usize,
    replies: Vec<u8>,
    timeouts: Timeouts,
    session_end: Instant,
}

impl Connection {
    /// The connection on descriptors 0 and 1.
    pub fn new(timeouts: Timeouts) -> Connection {
        Connection {
            input: descriptor::input(),
            output: descriptor::output(),
            received: Vec::new(),
            used: 0,
            read_size: READ_BUFFER,
            replies: Vec::new(),
            timeouts,
            session_end: later(Instant::now(), timeouts.session),
        }
    }

    /// The same connection, but never reading more than is asked for: what follows is for another program.
    #[must_use]
    pub fn without_reading_ahead(self) -> Connection {
        Connection { read_size: 1, ..self }
    }

    /// When the session ends at the latest.
    pub fn session_end(&self) -> Instant {
        self.session_end
    }

    /// The pace of a message that begins now.
    pub fn pace(&self) -> Pace {
        Pace { timeouts: self.timeouts, waited: Duration::ZERO, size: 0 }
    }

    /// When a command that begins now has to be complete.
    pub fn command_deadline(&self) -> Instant {
        later(Instant::now(), self.timeouts.command)
    }

    /// Bytes of a message, like [`bytes`](Connection::bytes), at the pace that a message has to have.
    pub fn message_bytes(&mut self, pace: &mut Pace) -> Result<&[u8], Lost> {
        if self.used >= self.received.len() {
            self.flush()?;
            let start = Instant::now();
            self.receive(later(start, pace.longest_wait()))?;
            pace.count(start.elapsed(), self.received.len());
        }
        Ok(self.received.get(self.used..).unwrap_or_default())
    }

    /// Bytes that the client sent, at least one. Waits for them until the deadline if none are left, and
    /// before that lets all replies leave.
    pub fn bytes(&mut self, deadline: Instant) -> Result<&[u8], Lost> {
        if self.used >= self.received.len() {
            self.flush()?;
            self.receive(deadline)?;
        }
        Ok(self.received.get(self.used..).unwrap_or_default())
    }

    /// Says that so many of the bytes were used.
    pub fn consume(&mut self, length: usize) {
        self.used = self.used.saturating_add(length);
    }

    fn receive(&mut self, deadline: Instant) -> Result<(), Lost> {
        loop {
            if !ready(self.input.as_fd(), Interest::Read, deadline.min(self.session_end))? {
                let session_is_over = self.session_end <= deadline;
                return Err(if session_is_over { Lost::SessionTooLong } else { Lost::Silent });
            }
            self.received.resize(self.read_size, 0);
            let result = self.input.read(&mut self.received);
            self.received.truncate(*result.as_ref().unwrap_or(&0));
            self.used = 0;
            match result {
                Ok(0) => return Err(Lost::Gone),
                Ok(_) => return Ok(()),
                Err(error) if is_passing(&error) => {}
                Err(_) => return Err(Lost::Gone),
            }
        }
    }

    /// Adds a reply to those that are to leave.
    pub fn reply(&mut self, bytes: &[u8]) -> Result<(), Lost> {
        self.replies.extend_from_slice(bytes);
        if self.replies.len() >= REPLY_BUFFER { self.flush() } else { Ok(()) }
    }

    /// Lets all replies leave.
    pub fn flush(&mut self) -> Result<(), Lost> {
        let replies = std::mem::take(&mut self.replies);
        let deadline = self.command_deadline();
        let mut rest = replies.as_slice();
        while !rest.is_empty() {
            if !ready(self.output.as_fd(), Interest::Write, deadline)? {
                // Part of a reply is out; whatever followed would be taken for the rest of it.
                return Err(Lost::Gone);
            }
            match socket::write_without_waiting(self.output, rest) {
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if is_passing(&error) => {}
                Err(_) => return Err(Lost::Gone),
            }
        }
        Ok(())
    }

    /// Does nothing for a while.
    pub fn pause(&mut self, length: Duration) -> Result<(), Lost> {
        if length.is_zero() {
            return Ok(());
        }
        self.flush()?;
        poll::wait(&[], Some(length)).map(drop).map_err(|_| Lost::Gone)
    }
}

/// Waits for a descriptor; `false` if the deadline is past, even if it is ready by then: a client that is never
/// done does not get longer by sending without a pause.
fn ready(descriptor: BorrowedFd<'_>, interest: Interest, deadline: Instant) -> Result<bool, Lost> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        if poll::wait_one(descriptor, interest, Some(left)).map_err(|_| Lost::Gone)? {
            return Ok(true);
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock)
}

/// A moment too far away for the clock is as good as the end of the session.
fn later(start: Instant, length: Duration) -> Instant {
    start.checked_add(length).or_else(|| start.checked_add(SESSION)).unwrap_or(start)
}

/// How fast a message comes, and how long the client may keep us waiting for more of it. Time that we need
/// ourselves, or that the queue does, is not the client's.
#[derive(Debug)]
pub struct Pace {
    timeouts: Timeouts,
    waited: Duration,
    size: u64,
}

impl Pace {
    fn count(&mut self, waited: Duration, length: usize) {
        self.waited = self.waited.saturating_add(waited);
        self.size = self.size.saturating_add(length as u64);
    }

    /// In all a message may take as long as one command, or longer if it has come fast enough.
    fn longest_wait(&self) -> Duration {
        let allowed = self.timeouts.command.max(Duration::from_secs(self.size / SLOWEST));
        allowed.saturating_sub(self.waited).min(self.timeouts.pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P4: whatever a client sends, it is not listened to for longer.
    #[test]
    fn p4_a_session_whose_time_is_over_hears_nothing_more() {
        let timeouts = Timeouts::from_seconds(300, 1200).with_session(Duration::ZERO);
        let mut connection = Connection::new(timeouts);
        assert_eq!(connection.bytes(connection.command_deadline()), Err(Lost::SessionTooLong));
        assert_eq!(connection.bytes(connection.session_end()), Err(Lost::SessionTooLong));
        assert_eq!(connection.message_bytes(&mut connection.pace()), Err(Lost::SessionTooLong));
    }

    /// P4: bytes buy time, and one pause is never longer than the time-out for it.
    #[test]
    fn p4_a_message_has_to_come_at_fifty_bytes_a_second_in_the_long_run() {
        let second = Duration::from_secs(1);
        let timeouts = Timeouts::from_seconds(300, 1200);
        let mut pace = Pace { timeouts, waited: Duration::ZERO, size: 0 };
        assert_eq!(pace.longest_wait(), 300 * second);
        for _ in 0..299 {
            pace.count(second, 1);
        }
        assert_eq!(pace.longest_wait(), second);
        pace.count(second, 1);
        assert_eq!(pace.longest_wait(), Duration::ZERO);
        pace.count(Duration::ZERO, 50 * 301 - 300);
        assert_eq!(pace.longest_wait(), second);
        pace.count(Duration::ZERO, 1_000_000);
        assert_eq!(pace.longest_wait(), 1200 * second);
    }
}
