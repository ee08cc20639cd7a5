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
//! * Whatever is read is written before cyclog waits for more, and nothing is dropped, unless that is asked for: on a
//!   full disk it waits for space, and the service waits for it.
//! * TERM: the line that is being read is completed from what the pipe holds, and the rest of the pipe is left to the
//!   next cyclog. A paused cyclog tries once more and then ends.
//! * ALRM: the file being written ends here, unless it is empty.
//! * A file is made when there is a byte for it, so a log that ends with a full file loses nothing to an empty one.
//!   Only the first file is made at once; without input it stays there, empty.
//!
//! Options that the original does not have: `-R` seconds after its first byte a file ends, `-S` bytes all files may
//! have together, `-D block`, `-D spill=BYTES` or `-D drop` says what happens when the disk is full. `!command` after
//! the directory is a processor: what it makes of each complete file takes its place, under the same name. The last
//! file of a run stays as it was logged, and with `-P` so does one of which nothing could be made in so many seconds.

mod log;
mod rotation;

use crate::backlog::{Backlog, WhenFull};
use crate::extent::Extent;
use crate::input::{Input, Piece};
use crate::names::Keep;
use crate::patience::Patience;
use log::{Limits, Log, Processor};
pub use rotation::LogName;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;
use unix::failure::Failure;
use unix::process::set_umask;
use unix::program::{Exit, Invocation};
use unix::signal::{self, Signal};

/// Runs `cyclog [-sSIZE] [-nNUM] [-mMARGIN] [-RSECONDS] [-SBYTES] [-DPOLICY] [-PSECONDS] dir
/// [!PROCESSOR]`.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let Settings { limits, when_full, directory, processor } = parse(invocation)?;
    set_umask(0o022);
    // A warning that nobody hears must not end the log.
    signal::ignore(Signal::SIGPIPE);
    std::env::set_current_dir(Path::new(std::ffi::OsStr::from_bytes(directory)))
        .map_err(|error| Failure::temporary([b"unable to chdir to ", directory].concat()).because(&error))?;
    let mut patience = Patience::holding(invocation, &[Signal::SIGCHLD, Signal::SIGALRM])
        .map_err(|error| Failure::temporary("unable to hold signals").because(&error))?;
    let mut log = Log::new(limits, processor);
    let mut backlog = Backlog::new(when_full, Vec::new);
    let copied = copy(&mut backlog, &mut log, &mut patience);
    log.finish(&mut patience);
    copied.map(|()| Exit::SUCCESS)
}

struct Settings<'a> {
    limits: Limits,
    when_full: WhenFull,
    directory: &'a [u8],
    processor: Option<Processor>,
}

fn parse(invocation: &Invocation) -> Result<Settings<'_>, Failure> {
    let extent = Extent { size: 104_000, margin: 4000 };
    let mut limits = Limits { extent, period: None, keep: Keep { files: 10, bytes: None } };
    let mut when_full = WhenFull::Block;
    let mut processor_limit = None;
    let mut options = invocation.options("s:n:m:D:P:R:S:");
    while let Some(option) = options.next_option().map_err(|error| error.with_usage(USAGE))? {
        let number = option.number();
        match option.letter {
            b's' => limits.extent.size = number.max(SMALLEST_SIZE),
            b'n' => limits.keep.files = number.max(1),
            b'D' => {
                let policy = WhenFull::parse(&option.argument);
                when_full = policy.ok_or_else(|| Failure::usage(USAGE))?;
            }
            b'P' => processor_limit = seconds(number),
            b'R' => limits.period = seconds(number),
            b'S' => limits.keep.bytes = Some(number).filter(|bytes| *bytes > 0),
            // The size so far: one that is set later does not change the margin.
            _ => limits.extent.margin = number.min(limits.extent.size),
        }
    }
    // A file alone is not larger than all of them may be together.
    if let Some(bytes) = limits.keep.bytes {
        limits.extent.size = limits.extent.size.min(bytes.max(SMALLEST_SIZE));
    }
    let (directory, rest) = options.operands().split_first().ok_or_else(|| Failure::usage(USAGE))?;
    let command = rest.first().and_then(|word| word.strip_prefix(b"!"));
    let processor = command.map(|command| Processor { command: command.to_vec(), limit: processor_limit });
    Ok(Settings { limits, when_full, directory, processor })
}

/// A limit of time, where 0 means none.
fn seconds(number: u64) -> Option<Duration> {
    Some(Duration::from_secs(number)).filter(|limit| !limit.is_zero())
}

fn copy(backlog: &mut Backlog, log: &mut Log, patience: &mut Patience<'_>) -> Result<(), Failure> {
    let unreadable = |error: io::Error| Failure::temporary("unable to read input").because(&error);
    let mut input = Input::new();
    let ended = loop {
        // The first time, before there is input, this makes the first file.
        backlog.flush(log, patience)?;
        let limit = backlog.retry_in().or_else(|| log.due_in());
        patience.rearm();
        if patience.is_terminated() {
            backlog.add(input.rest_of_line());
            break Ok(());
        }
        if patience.take(Signal::SIGALRM) {
            log.end_file();
            continue;
        }
        let is_ready = match input.wait_within(&[patience.as_fd()], limit) {
            Ok(is_ready) => is_ready,
            Err(error) => break Err(unreadable(error)),
        };
        if !is_ready || patience.is_terminated() {
            continue;
        }
        match input.read() {
            Ok(Piece::Bytes(bytes)) => backlog.add(bytes),
            Ok(Piece::Nothing) => {}
            Ok(Piece::End) => break Ok(()),
            Err(error) => break Err(unreadable(error)),
        }
    };
    backlog.finish(log, patience)?;
    ended
}

const USAGE: &str = "cyclog [ -ssize ] [ -nnum ] [ -mmargin ] [ -Rseconds ] [ -Sbytes ] [ -Dpolicy ] [ -Pseconds ] dir [ !command ]";
/// Bytes that a file may have at least.
const SMALLEST_SIZE: u64 = 512;
