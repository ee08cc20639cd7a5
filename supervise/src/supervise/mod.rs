//! `supervise` starts a program, and starts it again whenever it ends.
//!
//! Reads    commands of svc from the control FIFO of its service directory.
//! Writes   the status file there.
//! Runs as  whoever starts it, usually root, from a boot script or svscan.
//! Trusts   whoever may write to the service directory.
//! Exits    0 when asked to, and the program has ended · 100 wrong usage · 111 the directory cannot be used.
//! Manual   supervise(8).    Next: [`crate::svc`], [`crate::svstat`].
//!
//! What it decides is the table in [`state`]; here are the processes, signals, clocks and files around it.
//! It waits in one place, for a signal, a command and a timer at the same time, so it always answers svc.

pub mod command;
pub mod service_dir;
pub mod state;
pub mod status;

mod others;
pub(crate) mod program;
mod readiness;
mod request;
mod settings;

use command::Command;
use others::Others;
use program::Program;
use readiness::Readiness;
use request::Request;
use service_dir::{Layout, ServiceDir};
use settings::Settings;
use state::{Action, Event, State, Want};
use status::{Details, Status};
use std::collections::VecDeque;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};
use unix::directory::WorkingDirectory;
use unix::failure::{Failure, because};
use unix::poll::{self, Interest};
use unix::process::{self, Ended};
use unix::program::{Exit, Invocation};
use unix::signal::{self, Signal, Signals};
use unix::stamp::Stamp;

/// How long a status that could not be written (the disk is full) waits for the next attempt, if nothing happens.
const STATUS_RETRY: Duration = Duration::from_secs(60);

/// Runs `supervise`.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let request = Request::read(invocation)?;
    let outside = WorkingDirectory::current()
        .map_err(|error| Failure::temporary("unable to open current directory").because(&error))?;
    service_dir::enter(&request.directory)?;
    let signals =
        hold_signals().map_err(|error| Failure::temporary("unable to create pipe").because(&error))?;
    let normally_up = match request.layout {
        Layout::Flat => request.normally_up,
        Layout::Nested => !service_dir::is_normally_down(&request.directory)?,
    };
    let want = request.want.unwrap_or(if normally_up { Want::Up } else { Want::Down });
    let mut directory = ServiceDir::hold(request.layout, &request.directory)?;
    if request.layout == Layout::Flat && !request.old_files_only {
        // As in `announce`.
        directory.hold_newer_too().unwrap_or_else(|trouble| invocation.warn(trouble.text()));
    }
    let supervisor = Supervisor {
        invocation,
        directory,
        program: Program::new(&request, outside),
        state: State::new(want, normally_up, request.exiting),
        since: Stamp::now(),
        started: Instant::now(),
        starts: 0,
        last_end: None,
        settings: Settings::default(),
        readiness: Readiness::default(),
        others: Others::new()?,
        timer: None,
        finish_limit: None,
        status_is_stale: false,
    };
    supervisor.run(&signals)
}

/// A background job of a shell ignores SIGINT, and one of nohup SIGHUP; that is respected.
pub(crate) fn hold_signals() -> io::Result<Signals> {
    signal::unblock_all();
    let wanted = [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP];
    let left_alone = |signal| matches!(signal, Signal::SIGINT | Signal::SIGHUP) && signal::is_ignored(signal);
    let held: Vec<Signal> = wanted.into_iter().filter(|signal| !left_alone(*signal)).collect();
    Signals::hold(&held)
}

struct Supervisor<'a> {
    invocation: &'a Invocation,
    directory: ServiceDir,
    program: Program,
    state: State,
    /// When the process was started or ended.
    since: Stamp,
    /// When the process was started, on a clock that nobody sets.
    started: Instant,
    starts: u32,
    last_end: Option<Ended>,
    settings: Settings,
    readiness: Readiness,
    others: Others,
    timer: Option<Instant>,
    /// When `finish` has run for as long as it may.
    finish_limit: Option<Instant>,
    status_is_stale: bool,
}

impl Supervisor<'_> {
    fn run(mut self, signals: &Signals) -> Result<Exit, Failure> {
        self.write_status();
        self.announce()?;
        let mut flow = self.handle(Event::Begin);
        loop {
            self.write_status();
            if flow.is_break() {
                return Ok(Exit::SUCCESS);
            }
            self.wait(signals);
            flow = self.look_around(signals);
        }
    }

    /// The service of the older form does without what only the newer tools look for.
    fn announce(&mut self) -> Result<(), Failure> {
        match self.directory.announce() {
            Err(trouble) if matches!(self.program, Program::Named { .. }) => {
                self.invocation.warn(trouble.text());
                Ok(())
            }
            result => result,
        }
    }

    /// Waits until there may be something to do.
    fn wait(&self, signals: &Signals) {
        let timer = self.timer.into_iter().chain(self.finish_limit).min();
        let timer = timer.map(|at| at.saturating_duration_since(Instant::now()));
        let retry = self.status_is_stale.then_some(STATUS_RETRY);
        let limit = timer.into_iter().chain(retry).min();
        let descriptors: Vec<_> = std::iter::once(signals.as_fd())
            .chain(self.directory.descriptors())
            .chain(self.readiness.descriptor())
            .map(|descriptor| (descriptor, Interest::Read))
            .collect();
        // Polling two open descriptors does not fail; if it did, looking around too early would be harmless.
        let _ = poll::wait(&descriptors, limit);
    }

    /// Takes what happened: deaths first, so that a command finds the service as it is; one command at a time.
    fn look_around(&mut self, signals: &Signals) -> ControlFlow<()> {
        let mut terminated = false;
        while let Some(signal) = signals.next() {
            // SIGHUP means nothing: the end of a terminal session ends no service. SIGCHLD only wakes.
            terminated |= matches!(signal, Signal::SIGTERM | Signal::SIGINT);
        }
        self.readiness.look();
        while let Some((pid, ended)) = process::reap_any() {
            if self.state.pid() == Some(pid) {
                self.since = Stamp::now();
                self.last_end = Some(ended);
                self.readiness = Readiness::default();
                self.handle(Event::Died { ended, ran: self.started.elapsed() })?;
            } else if self.state.finish_pid() == Some(pid) {
                self.finish_limit = None;
                self.handle(Event::Finished(ended))?;
            }
        }
        if terminated {
            self.handle(Event::Command(Command::Down))?;
            self.handle(Event::Command(Command::Exit))?;
        }
        if is_over(&mut self.finish_limit) {
            self.invocation.warn(b"finish takes too long, killing it");
            self.handle(Event::FinishTooLong)?;
        }
        if is_over(&mut self.timer) {
            self.handle(Event::TimerExpired)?;
        }
        match self.directory.next_command() {
            Some(command) => self.handle(Event::Command(command)),
            None => ControlFlow::Continue(()),
        }
    }

    /// Does what the table says about an event, and about the events that come of doing it.
    fn handle(&mut self, event: Event) -> ControlFlow<()> {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for action in self.state.step(event) {
                match action {
                    Action::Start => events.push_back(self.start()),
                    Action::Finish(ended) => events.push_back(self.finish(ended)),
                    Action::Signal(signal) => self.signal(signal),
                    Action::LimitFinish(time) => self.finish_limit = Instant::now().checked_add(time),
                    Action::SetTimer(time) => self.timer = Instant::now().checked_add(time),
                    Action::Exit => return ControlFlow::Break(()),
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn start(&mut self) -> Event {
        self.settings = settings::read(|trouble| self.invocation.warn(trouble));
        self.state.rules = self.settings.rules.clone();
        if !self.settings.wait_for.iter().all(|other| self.others.is_up(other)) {
            return Event::OthersNotUp;
        }
        let writer = self.expect_readiness();
        let notification = writer.as_ref().zip(self.settings.notification);
        let own_group = self.settings.process_group;
        match self.fork(|program| program.run(notification, own_group)) {
            Some(pid) => {
                self.since = Stamp::now();
                self.started = Instant::now();
                self.starts = self.starts.saturating_add(1);
                Event::Started(pid)
            }
            None => Event::ForkFailed,
        }
    }

    /// Makes the pipe on which the program is to say that it is ready, if it asks for one. Without it, it runs too.
    fn expect_readiness(&mut self) -> Option<OwnedFd> {
        self.settings.notification?;
        match Readiness::expected() {
            Ok((readiness, writer)) => {
                self.readiness = readiness;
                Some(writer)
            }
            Err(error) => {
                self.invocation.warn(because("unable to create pipe for notification-fd", &error));
                None
            }
        }
    }

    fn finish(&self, ended: Ended) -> Event {
        let own_group = self.settings.process_group;
        Event::FinishStarted(self.fork(|program| program.run_finish(ended, own_group)))
    }

    /// The child has our signals held back until it is about to become the program, so one that svc sends it
    /// meanwhile is not lost.
    fn fork(&self, child: impl FnOnce(&Program) -> u8) -> Option<process::Pid> {
        let forked = process::fork(|| child(&self.program));
        forked.inspect_err(|error| self.invocation.warn(because(self.program.fork_trouble(), error))).ok()
    }

    /// A process that has ended and is not yet reaped takes signals too; there is nothing to report.
    fn signal(&self, signal: Signal) {
        let Some(pid) = self.state.pid().or(self.state.finish_pid()) else { return };
        let _ = if self.settings.process_group {
            // Just after its start it may have no group yet.
            process::kill_group(pid, signal).or_else(|_| process::kill(pid, signal))
        } else {
            process::kill(pid, signal)
        };
    }

    fn details(&self) -> Details {
        Details::of(&self.state, self.last_end, self.readiness.since(), self.starts)
    }

    fn write_status(&mut self) {
        let status = Status::of(&self.state, self.since);
        let details = if self.settings.are_plain() { Vec::new() } else { self.details().encode() };
        let written = self.directory.write_status(|layout| {
            let start = match layout {
                Layout::Flat => status.encode_0_53(self.state.normally_up),
                Layout::Nested => status.encode_0_76(),
            };
            [start, details.clone()].concat()
        });
        self.status_is_stale = written.is_err();
        if let Err(trouble) = written {
            self.invocation.warn(trouble);
        }
    }
}

/// Whether a clock has run out, which it does once.
fn is_over(clock: &mut Option<Instant>) -> bool {
    clock.take_if(|at| *at <= Instant::now()).is_some()
}
