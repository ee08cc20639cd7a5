//! `multilog` stamps lines, selects some of them, and keeps the newest in files of bounded size and number.
//!
//! Reads    fd 0: the log.      Arguments: the script, one action each.
//! Writes   log directories; status files; selected lines and warnings to fd 2, the like of a warning once a minute.
//! Runs as  the owner of the directories.   Trusts  the script and the directories; nobody for what is logged.
//! Exits    0 at the end of the input (also an unreadable one) or after TERM · 111 a directory or file of the script
//!          cannot be used, or TERM when bytes could not be written (it says how many).
//! Manual   multilog(8).    The end of the flow; processors run from here.
//!
//! * Whatever is read is written before multilog waits for more.
//! * TERM: the line that is being read is completed, if its rest comes soon, and the rest of the pipe is left to the
//!   next multilog. A paused multilog tries once more, writes what it can, and ends; so does one whose processor
//!   fails, and the file for the processor becomes a `.u` file at the next start.
//! * ALRM: the files being written end here, but for empty ones.
//!
//! Actions that the original does not have, each for the directories after it: `RSECONDS` ends a file that long after
//! its first byte, `SBYTES` is what all files of a log may have together, and `Dblock`, `Dspill=BYTES` or `Ddrop` says
//! what happens when the disk is full: the service waits, or memory takes so much first, or lines are dropped and
//! counted. `PSECONDS` is how long a log waits for its processor before a file becomes `.u` without it.

mod directory;
mod lines;
pub mod pattern;
mod rotation;
pub mod script;
mod status;

use crate::backlog::Backlog;
use crate::input::{Input, Piece, READ_SIZE};
use crate::label;
use crate::patience::Patience;
use directory::LogDirectory;
use lines::Lines;
use pattern::Pattern;
use script::{Action, Script};
use status::Status;
use std::io::Write;
use std::os::fd::AsFd;
use std::time::Duration;
use unix::descriptor;
use unix::directory::WorkingDirectory;
use unix::failure::Failure;
use unix::process::set_umask;
use unix::program::{Exit, Invocation};
use unix::signal::{self, Signal};
use unix::stamp::Stamp;

/// Runs `multilog script...`.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let script = Script::parse(&invocation.arguments);
    set_umask(0o022);
    // A warning that nobody hears must not end the log.
    signal::ignore(Signal::SIGPIPE);
    let mut patience = Patience::holding(invocation, &[Signal::SIGALRM, Signal::SIGCHLD])
        .map_err(|error| Failure::temporary("unable to hold signals").because(&error))?;
    let mut flow = Flow::open(script, &mut patience)?;
    let copied = copy(&mut flow, &mut patience);
    // Every log is closed, whatever happened to another one.
    let closed = flow.close(&mut patience);
    copied.and(closed).map(|()| Exit::SUCCESS)
}

/// Takes lines until their end or TERM. An unreadable input has ended.
fn copy(flow: &mut Flow, patience: &mut Patience<'_>) -> Result<(), Failure> {
    let mut input = Input::new();
    loop {
        let limit = flow.due_in();
        patience.rearm();
        if patience.is_terminated() {
            return flow.take(input.rest_of_line_within(LINE_PATIENCE), patience);
        }
        if patience.take(Signal::SIGALRM) {
            flow.end_files();
        } else {
            let Ok(is_ready) = input.wait_within(&[patience.as_fd()], limit) else { return Ok(()) };
            if is_ready && !patience.is_terminated() {
                match input.read() {
                    Ok(Piece::Bytes(bytes)) => flow.take(bytes, patience)?,
                    Ok(Piece::Nothing) => {}
                    Ok(Piece::End) | Err(_) => return Ok(()),
                }
            }
        }
        flow.flush(patience)?;
    }
}

/// The way of a line through the script.
struct Flow {
    lines: Lines<fn() -> Stamp>,
    steps: Steps,
}

/// The actions of the script with what they need.
struct Steps {
    steps: Vec<Step>,
    /// Lines for standard error.
    alerts: Vec<u8>,
}

enum Step {
    Deselect(Pattern),
    Select(Pattern),
    Alert,
    Status(Status),
    Log(Box<Log>),
}

struct Log {
    directory: LogDirectory,
    backlog: Backlog,
    /// Whether the line that is passing was selected when it came here.
    selected: bool,
}

impl Flow {
    fn open(script: Script, patience: &mut Patience<'_>) -> Result<Flow, Failure> {
        let start = WorkingDirectory::current()
            .map_err(|error| Failure::temporary("unable to switch to current directory").because(&error))?;
        let clock: fn() -> Stamp = Stamp::now;
        let line_start = if script.labels { labelled } else { Vec::new };
        let mut steps = Vec::with_capacity(script.actions.len());
        for action in script.actions {
            steps.push(match action {
                Action::Deselect(pattern) => Step::Deselect(pattern),
                Action::Select(pattern) => Step::Select(pattern),
                Action::Alert => Step::Alert,
                Action::Status(name) => Step::Status(Status::open(&name)?),
                Action::Log(settings) => {
                    let backlog = Backlog::new(settings.when_full, line_start);
                    let directory = LogDirectory::open(settings, &start, patience)?;
                    Step::Log(Box::new(Log { directory, backlog, selected: false }))
                }
            });
        }
        let lines = Lines::new(script.labels.then_some(clock));
        Ok(Flow { lines, steps: Steps { steps, alerts: Vec::new() } })
    }

    /// Takes input. What is held in memory is bounded.
    fn take(&mut self, input: &[u8], patience: &mut Patience<'_>) -> Result<(), Failure> {
        for piece in input.chunks(PIECE_SIZE) {
            self.lines.each(piece, |piece| self.steps.take(piece));
            if self.steps.waiting() >= READ_SIZE {
                self.flush(patience)?;
            }
        }
        Ok(())
    }

    fn flush(&mut self, patience: &mut Patience<'_>) -> Result<(), Failure> {
        self.steps.flush(patience)
    }

    fn end_files(&mut self) {
        self.steps.logs().for_each(|log| log.directory.end_current());
    }

    /// When something has to be done although no line comes: a full disk tried again, a file ended.
    fn due_in(&mut self) -> Option<Duration> {
        let due = |log: &mut Log| log.backlog.retry_in().or_else(|| log.directory.due_in());
        self.steps.logs().filter_map(due).min()
    }

    fn close(&mut self, patience: &mut Patience<'_>) -> Result<(), Failure> {
        self.lines.finish(|piece| self.steps.take(piece));
        let mut closed = self.steps.flush(patience);
        for log in self.steps.logs() {
            let written = log.backlog.finish(&mut log.directory, patience);
            log.directory.close(patience);
            closed = closed.and(written.map_err(Failure::from));
        }
        closed
    }
}

impl Steps {
    fn take(&mut self, piece: lines::Piece<'_>) {
        match piece {
            lines::Piece::Start(bytes) => self.start(bytes),
            lines::Piece::Rest(bytes) => {
                self.logs().filter(|log| log.selected).for_each(|log| log.backlog.add(bytes));
            }
        }
    }

    /// Takes a line, or the start of a long one, through the steps.
    fn start(&mut self, bytes: &[u8]) {
        let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let mut selected = true;
        for step in &mut self.steps {
            match step {
                Step::Deselect(pattern) => selected = selected && !pattern.matches(line),
                Step::Select(pattern) => selected = selected || pattern.matches(line),
                Step::Alert if selected => alert(line, &mut self.alerts),
                Step::Status(status) if selected => status.show(line),
                Step::Alert | Step::Status(_) => {}
                Step::Log(log) => {
                    log.selected = selected;
                    if selected {
                        log.backlog.add(bytes);
                    }
                }
            }
        }
    }

    fn flush(&mut self, patience: &mut Patience<'_>) -> Result<(), Failure> {
        // Nobody is left to tell if that fails.
        let _ = descriptor::error().write_all(&self.alerts);
        self.alerts.clear();
        for step in &mut self.steps {
            match step {
                Step::Status(status) => {
                    status.flush(patience).map_err(|trouble| trouble.into_failure(0))?;
                }
                Step::Log(log) => log.backlog.flush(&mut log.directory, patience)?,
                Step::Deselect(_) | Step::Select(_) | Step::Alert => {}
            }
        }
        Ok(())
    }

    /// Bytes in memory for the log that is furthest behind.
    fn waiting(&mut self) -> usize {
        self.logs().map(|log| log.backlog.waiting()).max().unwrap_or(0).max(self.alerts.len())
    }

    fn logs(&mut self) -> impl Iterator<Item = &mut Log> {
        self.steps.iter_mut().filter_map(|step| match step {
            Step::Log(log) => Some(log.as_mut()),
            _ => None,
        })
    }
}

fn alert(line: &[u8], alerts: &mut Vec<u8>) {
    match line.get(..ALERT_LIMIT) {
        Some(start) if line.len() > ALERT_LIMIT => {
            alerts.extend_from_slice(start);
            alerts.extend_from_slice(b"...");
        }
        _ => alerts.extend_from_slice(line),
    }
    alerts.push(b'\n');
}

/// The label of a line of our own.
fn labelled() -> Vec<u8> {
    [&label::encode(Stamp::now()), b" ".as_slice()].concat()
}

/// Input that is taken between two looks at how much waits in memory.
const PIECE_SIZE: usize = 4096;
/// Bytes of a line that an alert shows.
const ALERT_LIMIT: usize = 200;
/// How long the rest of a line is waited for after TERM.
const LINE_PATIENCE: Duration = Duration::from_secs(2);
