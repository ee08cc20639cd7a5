//! What a logger reads: standard input, up to its end or TERM.

use crate::patience::Patience;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use unix::descriptor;
use unix::poll::{self, Interest};

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Some bytes, at least one.
    Bytes(&'a [u8]),
    /// The log ends here.
    End,
    /// Nothing yet, but a signal or the end of the wait.
    Nothing,
}

/// Standard input up to its end or TERM.
///
/// After TERM the line that is being read is completed one byte at a time: what follows it belongs to whoever
/// reads the pipe next.
pub struct Input {
    buffer: Vec<u8>,
    /// Whether the last byte that was read is not a newline.
    within_line: bool,
    /// How many bytes of a line are still read after TERM.
    line_allowance: usize,
    /// How long the rest of a line is waited for after TERM.
    line_patience: Duration,
    /// Until when, once TERM came.
    line_deadline: Option<Instant>,
}

impl Input {
    /// An input that after TERM waits so long for the rest of a line.
    pub fn new(line_patience: Duration) -> Input {
        Input {
            buffer: vec![0; READ_SIZE],
            within_line: false,
            line_allowance: READ_SIZE,
            line_patience,
            line_deadline: None,
        }
    }

    /// Waits for the next bytes, but not longer than `limit`.
    pub fn next(&mut self, patience: &mut Patience<'_>, limit: Option<Duration>) -> io::Result<Event<'_>> {
        let mut input = descriptor::input();
        let ending = patience.is_terminated();
        let is_ready = if ending {
            // The descriptor of the signals is of no interest any more.
            poll::wait_one(input.as_fd(), Interest::Read, Some(self.time_for_line()))?
        } else {
            let awaited = [(input.as_fd(), Interest::Read), (patience.as_fd(), Interest::Read)];
            poll::wait(&awaited, limit)?.first() == Some(&true)
        };
        // TERM may have come while input came, too.
        let wanted = self.wanted(patience.is_terminated());
        if wanted == 0 || ending && !is_ready && self.time_for_line().is_zero() {
            return Ok(Event::End);
        }
        if !is_ready {
            return Ok(Event::Nothing);
        }
        match input.read(self.buffer.get_mut(..wanted).unwrap_or_default()) {
            Ok(0) => Ok(Event::End),
            Ok(length) => {
                let bytes = self.buffer.get(..length).unwrap_or_default();
                self.within_line = bytes.last().is_some_and(|last| *last != b'\n');
                Ok(Event::Bytes(bytes))
            }
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {
                Ok(Event::Nothing)
            }
            Err(error) => Err(error),
        }
    }

    /// How many bytes to read now.
    fn wanted(&mut self, terminated: bool) -> usize {
        if !terminated {
            READ_SIZE
        } else if self.within_line && self.line_allowance > 0 {
            self.line_allowance = self.line_allowance.saturating_sub(1);
            1
        } else {
            0
        }
    }

    fn time_for_line(&mut self) -> Duration {
        if !self.within_line {
            return Duration::ZERO;
        }
        let now = Instant::now();
        let deadline = *self.line_deadline.get_or_insert_with(|| now + self.line_patience);
        deadline.saturating_duration_since(now)
    }
}

/// The size of a pipe on Linux: one read can empty it.
pub const READ_SIZE: usize = 64 * 1024;
