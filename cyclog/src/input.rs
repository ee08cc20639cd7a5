//! Standard input of a program that ends after TERM without cutting a line in two.
//!
//! What was read is the program's to write; what was not stays in the pipe, for whoever reads it next. So TERM
//! ends the reading at once, but for the rest of a line that was read in part.

use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};
use unix::descriptor;
use unix::poll::{self, Interest};

/// What a read gave.
#[derive(Debug)]
pub enum Piece<'a> {
    /// Some input, at least one byte.
    Bytes(&'a [u8]),
    /// Nothing yet.
    Nothing,
    /// The end of the input.
    End,
}

/// Standard input, with memory of where in a line it stands.
pub struct Input {
    buffer: Vec<u8>,
    /// Whether the last byte that was read is not a newline.
    within_line: bool,
}

impl Input {
    /// Reads nothing yet.
    pub fn new() -> Input {
        Input { buffer: vec![0; READ_SIZE], within_line: false }
    }

    /// Waits for input, or until one of `wakeups` is readable; whether there is input.
    ///
    /// Whoever is woken by a signal asks for it before the input is read, even if there is some.
    pub fn wait(&self, wakeups: &[BorrowedFd<'_>]) -> io::Result<bool> {
        self.wait_within(wakeups, None)
    }

    /// The same, but not longer than the limit.
    pub fn wait_within(&self, wakeups: &[BorrowedFd<'_>], limit: Option<Duration>) -> io::Result<bool> {
        let input = descriptor::input();
        let awaited: Vec<_> =
            [input.as_fd()].iter().chain(wakeups).map(|descriptor| (*descriptor, Interest::Read)).collect();
        Ok(poll::wait(&awaited, limit)?.first() == Some(&true))
    }

    /// Reads as much as there is, after a wait that found some.
    pub fn read(&mut self) -> io::Result<Piece<'_>> {
        match descriptor::input().read(&mut self.buffer) {
            Ok(0) => Ok(Piece::End),
            Ok(length) => {
                let bytes = self.buffer.get(..length).unwrap_or_default();
                self.within_line = bytes.last() != Some(&b'\n');
                Ok(Piece::Bytes(bytes))
            }
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {
                Ok(Piece::Nothing)
            }
            Err(error) => Err(error),
        }
    }

    /// The rest of a line that was read in part, as far as it can be had without waiting; an error ends it, too.
    /// It is read byte by byte, because what follows belongs to somebody else, and up to a bound.
    pub fn rest_of_line(&mut self) -> &[u8] {
        self.rest_of_line_within(Duration::ZERO)
    }

    /// The same, but waiting for it up to the limit.
    pub fn rest_of_line_within(&mut self, limit: Duration) -> &[u8] {
        let mut input = descriptor::input();
        let mut length: usize = 0;
        let start = Instant::now();
        while self.within_line {
            let rest = limit.saturating_sub(start.elapsed());
            match poll::wait_one(input.as_fd(), Interest::Read, Some(rest)) {
                Ok(true) => {}
                // A signal, perhaps.
                Ok(false) if !rest.is_zero() => continue,
                _ => break,
            }
            let Some(byte) = self.buffer.get_mut(length..=length) else { break };
            match input.read(byte) {
                Ok(1..) => {
                    self.within_line = *byte != *b"\n";
                    length = length.saturating_add(1);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                _ => break,
            }
        }
        self.buffer.get(..length).unwrap_or_default()
    }
}

/// The size of a pipe on Linux: one read can empty it.
pub const READ_SIZE: usize = 64 * 1024;
