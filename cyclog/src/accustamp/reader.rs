//! The program that reads the stamped lines: a child with a pipe to it.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use unix::descriptor;
use unix::environment::Environment;
use unix::exec::{Search, exec};
use unix::failure::Failure;
use unix::poll::{self, Interest};
use unix::process::{self, Ended, Pid};
use unix::program::Exit;
use unix::signal::{self, Signal, Signals};

/// A running program whose standard input is a pipe from this process.
pub struct Reader<'a> {
    name: &'a [u8],
    pid: Pid,
    /// Never blocks, so that the program's end is noticed also while it does not read.
    pipe: File,
    /// SIGCHLD.
    signals: Signals,
}

impl<'a> Reader<'a> {
    /// Runs the program and waits until it is one: a program that cannot be run must cost no line.
    pub fn start(words: &'a [Vec<u8>]) -> Result<Reader<'a>, Failure> {
        let name = words.first().map_or(b"".as_slice(), Vec::as_slice);
        let unable_to_run =
            |error: io::Error| Failure::temporary([b"unable to run ", name].concat()).because(&error);
        let signals = Signals::hold(&[Signal::SIGCHLD]).map_err(unable_to_run)?;
        let (input, pipe) = descriptor::pipe().map_err(unable_to_run)?;
        descriptor::set_nonblocking(&pipe, true).map_err(unable_to_run)?;
        descriptor::enlarge_pipe(&pipe, PIPE_SIZE);
        let pid = spawn(words, input).map_err(unable_to_run)?;
        // From here on a write fails instead, but in the program the signal keeps its default.
        signal::ignore(Signal::SIGPIPE);
        Ok(Reader { name, pid, pipe: File::from(pipe), signals })
    }

    /// Fails if the program has ended. To be asked when the descriptor is readable.
    pub fn check(&self) -> Result<(), Failure> {
        if self.signals.take(Signal::SIGCHLD) {
            while let Some((pid, _)) = process::reap_any() {
                if pid == self.pid {
                    return Err(self.stopped_reading());
                }
            }
        }
        Ok(())
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: Signal) {
        // If it has just ended, that is noticed soon.
        let _ = process::kill(self.pid, signal);
    }

    /// Writes all of the bytes, however slowly the program reads.
    ///
    /// # Errors
    /// The program has ended or has closed its input.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.pipe.write(rest) {
                Ok(length) => rest = rest.get(length..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.wait_for_room()?,
                Err(_) => return Err(self.stopped_reading()),
            }
        }
        Ok(())
    }

    fn wait_for_room(&self) -> Result<(), Failure> {
        let awaited = [(self.pipe.as_fd(), Interest::Write), (self.as_fd(), Interest::Read)];
        poll::wait(&awaited, None).map_err(|_| self.stopped_reading())?;
        self.check()
    }

    /// Closes the pipe and waits until the program has done its work; its exit status is ours.
    pub fn finish(self) -> Result<Exit, Failure> {
        drop(self.pipe);
        match process::wait_for(self.pid) {
            Ok(Ended::Exited(code)) => Ok(Exit(code)),
            Ok(Ended::Killed { .. }) => Err(Failure::temporary([self.name, b" crashed"].concat())),
            Err(error) => {
                Err(Failure::temporary([b"unable to wait for ", self.name].concat()).because(&error))
            }
        }
    }

    fn stopped_reading(&self) -> Failure {
        Failure::temporary([self.name, b" stopped reading"].concat())
    }
}

/// Becomes readable when the program has ended, for [`check`](Reader::check).
impl AsFd for Reader<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signals.as_fd()
    }
}

/// Starts the program with this standard input, and returns when it runs or could not be run.
fn spawn(words: &[Vec<u8>], input: OwnedFd) -> io::Result<Pid> {
    let (outcome, report) = descriptor::pipe()?;
    let (mut outcome, report) = (File::from(outcome), File::from(report));
    let pid = process::fork(|| {
        let error = become_program(words, &input);
        let number = error.raw_os_error().unwrap_or(NO_NUMBER);
        // If nobody hears it, the exit status says it.
        let _ = (&report).write_all(&number.to_ne_bytes());
        Exit::TEMPORARY.0
    })?;
    drop(report);
    // An exec that works closes the pipe without a word.
    let mut number = [0; 4];
    match outcome.read_exact(&mut number) {
        Ok(()) => Err(io::Error::from_raw_os_error(i32::from_ne_bytes(number))),
        Err(_) => Ok(pid),
    }
}

/// Becomes the program, in the child. Returns only if that failed.
fn become_program(words: &[Vec<u8>], input: &OwnedFd) -> io::Error {
    if let Err(error) = descriptor::place(input, 0) {
        return error;
    }
    exec(words, &Environment::inherited(), Search::PathOrShell)
}

/// Room for what two reads give with its stamps, so that the program can take one while the next is stamped.
const PIPE_SIZE: usize = 256 * 1024;
/// What is reported for an error that does not come from the kernel; its text is "unknown error".
const NO_NUMBER: i32 = i32::MAX;
