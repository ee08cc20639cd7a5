//! `cyclog` keeps the newest part of a log in files of bounded size and number.
//!
//! Reads    fd 0: the log.
//! Writes   `@SECOND` files in the directory, mode 0644 while written, 0444 when on disk; removes the oldest.
//!          fd 2: warnings, each at most once a minute.
//! Runs as  the owner of the directory.   Trusts  the directory; nobody for what is logged, which is never looked at
//!          but for newlines.
//! Exits    0 at the end of the input or after TERM · 100 misuse · 111 no such directory, unreadable input, or TERM
//!          when bytes could not be written (it says how many).
//! Manual   cyclog(1).    The end of the flow.
//!
//! * Whatever is read is written before cyclog waits for more, and nothing is dropped: on a full disk it waits
//!   for space, and the service waits for it.
//! * TERM: the line that is being read is completed from what the pipe holds, and the rest of the pipe is left to the
//!   next cyclog. A paused cyclog tries once more and then ends.
//! * A file is made when there is a byte for it, so a log that ends with a full file loses nothing to an empty one.
//!   Only the first file is made at once; without input it stays there, empty.

mod log;
mod rotation;

use crate::patience::Patience;
use log::{GaveUp, Log};
use rotation::Limits;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;
use unix::descriptor;
use unix::failure::Failure;
use unix::poll::{self, Interest};
use unix::process::set_umask;
use unix::program::{Exit, Invocation};
use unix::signal::{self, Signal};

/// Runs `cyclog [-sSIZE] [-nNUM] [-mMARGIN] dir`.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let (limits, directory) = parse(invocation)?;
    set_umask(0o022);
    // A warning that nobody hears must not end the log.
    signal::ignore(Signal::SIGPIPE);
    std::env::set_current_dir(Path::new(std::ffi::OsStr::from_bytes(directory)))
        .map_err(|error| Failure::temporary([b"unable to chdir to ", directory].concat()).because(&error))?;
    let mut patience = Patience::new(invocation)
        .map_err(|error| Failure::temporary("unable to catch signals").because(&error))?;
    let mut log = Log::start(limits, &mut patience).map_err(Failure::from)?;
    let copied = copy(&mut log, &mut patience);
    log.finish(&mut patience);
    copied.map(|()| Exit::SUCCESS)
}

fn parse(invocation: &Invocation) -> Result<(Limits, &[u8]), Failure> {
    let mut limits = Limits { size: 104_000, files: 10, margin: 4000 };
    let mut options = invocation.options("s:n:m:");
    while let Some(option) = options.next_option().map_err(|error| error.with_usage(USAGE))? {
        let number = option.number();
        match option.letter {
            b's' => limits.size = number.max(SMALLEST_SIZE),
            b'n' => limits.files = number.max(1),
            // The size so far: one that is set later does not change the margin.
            _ => limits.margin = number.min(limits.size),
        }
    }
    let directory = options.operands().first().ok_or_else(|| Failure::usage(USAGE))?;
    Ok((limits, directory))
}

fn copy(log: &mut Log, patience: &mut Patience<'_>) -> Result<(), Failure> {
    let mut input = Input::new();
    loop {
        let bytes = input
            .next(patience)
            .map_err(|error| Failure::temporary("unable to read input").because(&error))?;
        if bytes.is_empty() {
            return Ok(());
        }
        log.append(bytes, patience)?;
    }
}

impl From<GaveUp> for Failure {
    fn from(gave_up: GaveUp) -> Failure {
        gave_up.trouble.into_failure(gave_up.unwritten)
    }
}

/// Standard input up to its end or TERM.
struct Input {
    buffer: Vec<u8>,
    /// Whether the last byte that was read is not a newline.
    within_line: bool,
    /// How many bytes of a line are still read after TERM.
    line_allowance: usize,
}

impl Input {
    fn new() -> Input {
        Input { buffer: vec![0; READ_SIZE], within_line: false, line_allowance: READ_SIZE }
    }

    /// The next bytes, as many as there are; waits for some. None: the log ends here.
    fn next(&mut self, patience: &mut Patience<'_>) -> io::Result<&[u8]> {
        let mut input = descriptor::input();
        loop {
            let limit = patience.is_terminated().then_some(Duration::ZERO);
            let awaited = [(input.as_fd(), Interest::Read), (patience.as_fd(), Interest::Read)];
            let is_ready = poll::wait(&awaited, limit)?.first() == Some(&true);
            // TERM may have come while input came, too.
            let wanted = self.wanted(patience.is_terminated());
            if wanted == 0 || !is_ready && limit.is_some() {
                return Ok(b"");
            }
            if !is_ready {
                continue;
            }
            match input.read(self.buffer.get_mut(..wanted).unwrap_or_default()) {
                Ok(length) => {
                    let bytes = self.buffer.get(..length).unwrap_or_default();
                    self.within_line = bytes.last().is_some_and(|last| *last != b'\n');
                    return Ok(bytes);
                }
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// How many bytes to read now. After TERM one at a time, to the end of the line: what follows it belongs
    /// to whoever reads the pipe next.
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
}

const USAGE: &str = "cyclog [ -ssize ] [ -nnum ] [ -mmargin ] dir";
/// Bytes that a file may have at least.
const SMALLEST_SIZE: u64 = 512;
/// The size of a pipe on Linux: one read can empty it.
const READ_SIZE: usize = 64 * 1024;
