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

pub(crate) mod program;
mod request;
mod settings;

use command::Command;
use program::Program;
use request::Request;
use service_dir::{Layout, ServiceDir};
use state::{Action, Event, State, Want};
use status::Status;
use std::collections::VecDeque;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::AsFd;
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
        catch_signals().map_err(|error| Failure::temporary("unable to create pipe").because(&error))?;
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
        timer: None,
        status_is_stale: false,
    };
    supervisor.run(&signals)
}

/// A background job of a shell ignores SIGINT, and one of nohup SIGHUP; that is respected.
fn catch_signals() -> io::Result<Signals> {
    signal::unblock_all();
    let wanted = [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP];
    let left_alone = |signal| matches!(signal, Signal::SIGINT | Signal::SIGHUP) && signal::is_ignored(signal);
    let caught: Vec<Signal> = wanted.into_iter().filter(|signal| !left_alone(*signal)).collect();
    Signals::catch(&caught)
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
    timer: Option<Instant>,
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
        let timer = self.timer.map(|at| at.saturating_duration_since(Instant::now()));
        let retry = self.status_is_stale.then_some(STATUS_RETRY);
        let limit = timer.into_iter().chain(retry).min();
        let descriptors: Vec<_> = std::iter::once(signals.as_fd())
            .chain(self.directory.descriptors())
            .map(|descriptor| (descriptor, Interest::Read))
            .collect();
        // Polling two open descriptors does not fail; if it did, looking around too early would be harmless.
        let _ = poll::wait(&descriptors, limit);
    }

    /// Takes what happened: deaths first, so that a command finds the service as it is; one command at a time.
    fn look_around(&mut self, signals: &Signals) -> ControlFlow<()> {
        signals.drain();
        while let Some((pid, ended)) = process::reap_any() {
            if self.state.pid() == Some(pid) {
                self.since = Stamp::now();
                self.handle(Event::Died { ended, ran: self.started.elapsed() })?;
            } else if self.state.finish_pid() == Some(pid) {
                self.handle(Event::Finished(ended))?;
            }
        }
        // SIGHUP is caught and means nothing: the end of a terminal session ends no service.
        let terminated = [Signal::SIGTERM, Signal::SIGINT].map(|signal| signals.take(signal));
        if terminated.contains(&true) {
            self.handle(Event::Command(Command::Down))?;
            self.handle(Event::Command(Command::Exit))?;
        }
        if self.timer.is_some_and(|at| at <= Instant::now()) {
            self.timer = None;
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
                    Action::SetTimer(time) => self.timer = Instant::now().checked_add(time),
                    Action::Exit => return ControlFlow::Break(()),
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn start(&mut self) -> Event {
        self.state.rules = settings::read(|trouble| self.invocation.warn(trouble));
        match self.fork(|program| program.run()) {
            Some(pid) => {
                self.since = Stamp::now();
                self.started = Instant::now();
                Event::Started(pid)
            }
            None => Event::ForkFailed,
        }
    }

    fn finish(&self, ended: Ended) -> Event {
        Event::FinishStarted(self.fork(|program| program.run_finish(ended)))
    }

    /// Signals wait while there are two of us: the child must not take one in supervise's stead, nor lose one
    /// that svc sends it before it is the program.
    fn fork(&self, child: impl FnOnce(&Program) -> u8) -> Option<process::Pid> {
        signal::block_all();
        let forked = process::fork(|| child(&self.program));
        signal::unblock_all();
        forked.inspect_err(|error| self.invocation.warn(because(self.program.fork_trouble(), error))).ok()
    }

    /// A process that has ended and is not yet reaped takes signals too; there is nothing to report.
    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.state.pid().or(self.state.finish_pid()) {
            let _ = process::kill(pid, signal);
        }
    }

    fn write_status(&mut self) {
        let status = Status::of(&self.state, self.since);
        let written = self.directory.write_status(|layout| match layout {
            Layout::Flat => status.encode_0_53(self.state.normally_up),
            Layout::Nested => status.encode_0_76(),
        });
        self.status_is_stale = written.is_err();
        if let Err(trouble) = written {
            self.invocation.warn(trouble);
        }
    }
}
