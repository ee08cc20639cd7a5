//! The spawners' engine: requests of qmail-send in, one agent for each, reports out.
//!
//! qmail-lspawn and qmail-rspawn differ in what the child does and in how the agent's end is read; see
//! [`Agent`]. The engine trusts qmail-send to name a slot and a message, and checks both.

pub mod lspawn;
pub mod report;
pub mod request;
pub mod rspawn;

use crate::setup::home::{Home, Role};
use request::{Order, Request, RequestDecoder, SlotRequest};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;
use unix::failure::Failure;
use unix::fork_server::Copy;
use unix::limits::{self, Resource};
use unix::poll::{self, Interest};
use unix::process::{self, Ended, Pid};
use unix::program::Exit;
use unix::signal::{self, Signal, Signals};
use unix::{descriptor, file};

/// Most deliveries at once, which the spawner tells qmail-send when it starts. qmail-send can ask for more.
pub const SPAWN_LIMIT: u8 = 120;
/// Descriptors of a delivery: the message, the report, and what tells of the end.
const DESCRIPTORS: u64 = 3;
/// Descriptors that are needed besides.
const SPARE_DESCRIPTORS: u64 = 32;

/// What makes a spawner the local or the remote one.
///
/// An agent is a child of ours that [becomes](Agent::run) its program. Where the program is
/// [kept](unix::fork_server), a copy of it comes cheaper.
pub trait Agent {
    /// Runs in the child, with the message on descriptor 0 and the report on 1 and 2: becomes the agent, or
    /// returns the exit status that says why not.
    fn run(&self, home: &Home, request: &Request) -> u8;

    /// Begins the delivery by a copy of a program, or with what has to be looked up before, by a copy of another. `None`: a
    /// child has to [`run`](Agent::run).
    fn begin(&mut self, _: &Home, _: &Request, _: &Ends) -> Option<(Stage, Process)> {
        None
    }

    /// Begins the delivery, knowing how the lookup ended and what it wrote. `None`: a child has to run.
    ///
    /// # Errors
    /// The exit status that says why there is nothing to be delivered.
    fn found(&mut self, _: &Home, _: &Request, _: Ended, _: &[u8], _: &Ends) -> Result<Option<Process>, u8> {
        Ok(None)
    }

    /// The report of an agent that ended so, having written this.
    fn report(&self, ended: Ended, output: &[u8]) -> Vec<u8>;

    /// Bounds what is kept of an agent's output while it comes.
    fn bound(&self, output: &mut Vec<u8>);
}

/// What an agent is given.
pub struct Ends<'a> {
    /// The message, its descriptor 0.
    pub message: &'a File,
    /// Where its output goes, descriptors 1 and 2.
    pub report: &'a OwnedFd,
    /// The limits on open files that it is to have, if ours were raised.
    open_files: Option<(u64, u64)>,
}

impl Ends<'_> {
    /// The descriptors, and under which numbers the agent has them.
    pub fn descriptors(&self) -> [(BorrowedFd<'_>, RawFd); 3] {
        [(self.message.as_fd(), 0), (self.report.as_fd(), 1), (self.report.as_fd(), 2)]
    }

    /// Puts everything in its place, in the child.
    fn place(&self) -> io::Result<()> {
        descriptor::place_all(&self.descriptors())?;
        self.lower_limits();
        signal::default(Signal::SIGPIPE);
        signal::default(Signal::SIGCHLD);
        Ok(())
    }

    /// Takes back, in a child, what we have allowed ourselves.
    pub fn lower_limits(&self) {
        if let Some((soft, hard)) = self.open_files {
            let _ = limits::set_soft(Resource::RLIMIT_NOFILE, soft, hard);
        }
    }
}

/// How far a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Somebody finds out to whom it is made.
    Lookup,
    /// It is being made.
    Delivery,
}

/// Who is at work on a delivery.
pub enum Process {
    /// A child of ours, whose end is the end of the work.
    Child(Pid),
    /// A child that goes on to something else then, and tells us so; it may end all the same.
    Copy(Copy),
}

impl Process {
    fn pid(&self) -> Pid {
        match self {
            Process::Child(pid) => *pid,
            Process::Copy(copy) => copy.pid(),
        }
    }

    /// How its work ended, if it was told. To be asked when its output has ended, before which a copy has told it, or it is dead.
    fn told(&self) -> Option<Ended> {
        match self {
            Process::Child(_) => None,
            Process::Copy(copy) => copy.told().map(Ended::Exited),
        }
    }
}

/// A delivery that is under way.
struct Running {
    request: Request,
    message: File,
    stage: Stage,
    process: Process,
    pipe: File,
    output: Vec<u8>,
    /// Nobody holds the other end of the pipe any more.
    at_end: bool,
    ended: Option<Ended>,
}

/// Runs the engine until descriptor 0 ends and all deliveries have.
pub fn run(home: &Home, agent: impl Agent) -> Result<Exit, Failure> {
    std::env::set_current_dir(home.queue().join("mess")).map_err(|_| Failure::silent(Exit::TEMPORARY))?;
    let queue_owner = home.account(Role::Qmailq)?.uid;
    signal::ignore(Signal::SIGPIPE);
    let unable = |error: io::Error| Failure::temporary("unable to hold signals").because(&error);
    let signals = Signals::hold(&[Signal::SIGCHLD]).map_err(unable)?;
    let mut engine = Engine {
        home,
        agent,
        queue_owner,
        reports: Some(descriptor::output()),
        decoder: RequestDecoder::default(),
        running: BTreeMap::new(),
        limit: SPAWN_LIMIT.into(),
        wide: false,
        open_files: None,
        input_open: true,
    };
    engine.write(&[SPAWN_LIMIT]);
    while engine.input_open || !engine.running.is_empty() {
        engine.turn(&signals);
    }
    Ok(Exit::SUCCESS)
}

struct Engine<'a, A> {
    home: &'a Home,
    agent: A,
    queue_owner: u32,
    /// Nothing once qmail-send cannot be told anything; deliveries then end unheard.
    reports: Option<descriptor::Standard>,
    decoder: RequestDecoder,
    running: BTreeMap<u16, Running>,
    /// So many slots there are.
    limit: u16,
    /// Whether slots have two bytes; see `request`.
    wide: bool,
    /// The limits on open files that agents get, if ours were raised.
    open_files: Option<(u64, u64)>,
    input_open: bool,
}

impl<A: Agent> Engine<'_, A> {
    fn turn(&mut self, signals: &Signals) {
        let ready = self.wait(signals);
        // A death only wakes.
        let _ = signals.take(Signal::SIGCHLD);
        for slot in ready.slots {
            self.read_output(slot);
        }
        self.reap();
        self.report_ended();
        if ready.input {
            self.read_requests();
        }
    }

    fn wait(&self, signals: &Signals) -> Ready {
        let input = descriptor::input();
        let mut waiting: Vec<(BorrowedFd<'_>, Interest)> = vec![(signals.as_fd(), Interest::Read)];
        let open: Vec<(u16, &Running)> = self
            .running
            .iter()
            .filter(|(_, running)| !running.at_end)
            .map(|(slot, running)| (*slot, running))
            .collect();
        waiting.extend(open.iter().map(|(_, running)| (running.pipe.as_fd(), Interest::Read)));
        if self.input_open {
            waiting.push((input.as_fd(), Interest::Read));
        }
        let ready = poll::wait(&waiting, None).unwrap_or_else(|_| {
            // No memory for the moment; waiting for it must not take all of the processor.
            std::thread::sleep(Duration::from_secs(1));
            Vec::new()
        });
        let is_ready = |at: usize| ready.get(at).copied().unwrap_or(false);
        let slots = open
            .iter()
            .enumerate()
            .filter(|(at, _)| is_ready(at.saturating_add(1)))
            .map(|(_, (slot, _))| *slot);
        Ready { slots: slots.collect(), input: self.input_open && is_ready(open.len().saturating_add(1)) }
    }

    fn read_output(&mut self, slot: u16) {
        let Some(running) = self.running.get_mut(&slot) else { return };
        let mut piece = [0; 4096];
        match running.pipe.read(&mut piece) {
            Ok(0) => running.at_end = true,
            Ok(length) => {
                running.output.extend_from_slice(piece.get(..length).unwrap_or_default());
                self.agent.bound(&mut running.output);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => running.at_end = true,
        }
    }

    fn reap(&mut self) {
        while let Some((pid, ended)) = process::reap_any() {
            // A copy may have told the end of one of them, and died at another.
            for running in self.running.values_mut().filter(|running| running.process.pid() == pid) {
                running.ended = running.ended.or_else(|| running.process.told()).or(Some(ended));
            }
        }
    }

    /// A report is complete when the agent is dead and nobody can write to its pipe any more.
    fn report_ended(&mut self) {
        for running in self.running.values_mut().filter(|running| running.at_end) {
            running.ended = running.ended.or_else(|| running.process.told());
        }
        let is_over = |running: &Running| running.at_end && running.ended.is_some();
        let over: Vec<u16> =
            self.running.iter().filter(|(_, running)| is_over(running)).map(|(slot, _)| *slot).collect();
        for slot in over {
            let Some(running) = self.running.remove(&slot) else { continue };
            let Running { request, message, stage, output, ended: Some(ended), .. } = running else {
                continue;
            };
            let next = match stage {
                Stage::Delivery => Err(self.agent.report(ended, &output)),
                Stage::Lookup => self.deliver(request, message, ended, &output),
            };
            match next {
                Ok(running) => drop(self.running.insert(slot, running)),
                Err(text) => self.report(slot, &text),
            }
        }
    }

    fn report(&mut self, slot: u16, text: &[u8]) {
        // A NUL ends a report; no text may hold one.
        let text: Vec<u8> = text.iter().copied().filter(|byte| *byte != 0).collect();
        let slot = slot.to_be_bytes();
        let slot = if self.wide { &slot[..] } else { slot.get(1..).unwrap_or_default() };
        self.write(&[slot, &text, &[0]].concat());
    }

    /// Grants as many slots as there are descriptors for. The answer still has a slot of one byte.
    fn grant(&mut self, SlotRequest(wanted): SlotRequest) {
        self.open_files = limits::soft_and_hard(Resource::RLIMIT_NOFILE).ok();
        let descriptors = limits::raise_open_files().unwrap_or(0).saturating_sub(SPARE_DESCRIPTORS);
        let deliveries = descriptors.checked_div(DESCRIPTORS).unwrap_or(0);
        self.limit = wanted.min(u16::try_from(deliveries).unwrap_or(wanted)).max(SPAWN_LIMIT.into());
        self.report(request::SLOT_REQUEST, format!("K{}", self.limit).as_bytes());
        self.wide = true;
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(reports) = &mut self.reports
            && reports.write_all(bytes).is_err()
        {
            // A slot whose report is lost would be taken for ever. When we end, all of them are tried again.
            self.reports = None;
            self.input_open = false;
        }
    }

    fn read_requests(&mut self) {
        let mut piece = [0; 2048];
        match descriptor::input().read(&mut piece) {
            Ok(length) if length > 0 => {
                for order in self.decoder.push(piece.get(..length).unwrap_or_default()) {
                    match order {
                        Order::Deliver(request) => self.begin(&request),
                        Order::Slots(wish) => self.grant(wish),
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => self.input_open = false,
        }
    }

    fn begin(&mut self, request: &Request) {
        match self.start(request) {
            Ok(running) => drop(self.running.insert(request.slot, running)),
            Err(refusal) => self.report(request.slot, refusal),
        }
    }

    /// Starts the agent, or says in a report why not.
    fn start(&mut self, request: &Request) -> Result<Running, &'static [u8]> {
        if request.slot >= self.limit {
            return Err(b"ZInternal error: delnum too big. (#4.3.5)\n");
        }
        if self.running.contains_key(&request.slot) {
            return Err(b"ZInternal error: delnum in use. (#4.3.5)\n");
        }
        request.check()?;
        let message = self.open_message(request)?;
        let (reader, writer) = descriptor::pipe().map_err(|_| NO_PIPE)?;
        let ends = Ends { message: &message, report: &writer, open_files: self.open_files };
        let (stage, process) = match self.agent.begin(self.home, request, &ends) {
            Some(begun) => begun,
            None => (Stage::Delivery, self.fork(request, &ends)?),
        };
        Ok(Running::new(request.clone(), message, stage, process, reader))
    }

    /// Goes on after the lookup, or says in a report why not.
    fn deliver(
        &mut self,
        request: Request,
        message: File,
        ended: Ended,
        found: &[u8],
    ) -> Result<Running, Vec<u8>> {
        let (reader, writer) = descriptor::pipe().map_err(|_| NO_PIPE)?;
        let ends = Ends { message: &message, report: &writer, open_files: self.open_files };
        let process = match self.agent.found(self.home, &request, ended, found, &ends) {
            Ok(Some(process)) => process,
            Ok(None) => self.fork(&request, &ends)?,
            Err(code) => return Err(self.agent.report(Ended::Exited(code), b"")),
        };
        Ok(Running::new(request, message, Stage::Delivery, process, reader))
    }

    /// Starts a child that becomes the agent.
    fn fork(&self, request: &Request, ends: &Ends) -> Result<Process, &'static [u8]> {
        let child = || match ends.place() {
            Ok(()) => self.agent.run(self.home, request),
            Err(_) => Exit::TEMPORARY.0,
        };
        process::fork(child).map(Process::Child).map_err(|_| &b"Zqmail-spawn unable to fork. (#4.3.0)\n"[..])
    }

    /// The message must be a file that qmail-queue wrote: whoever else could make one here is not trusted.
    fn open_message(&self, request: &Request) -> Result<File, &'static [u8]> {
        let path = std::path::Path::new(request.message_file());
        let message = file::open_read_no_follow(path)
            .map_err(|_| &b"Zqmail-spawn unable to open message. (#4.3.0)\n"[..])?;
        let metadata =
            message.metadata().map_err(|_| &b"Zqmail-spawn unable to fstat message. (#4.3.0)\n"[..])?;
        if !metadata.is_file() {
            return Err(b"ZSorry, message has wrong type. (#4.3.5)\n");
        }
        if metadata.uid() != self.queue_owner {
            return Err(b"ZSorry, message has wrong owner. (#4.3.5)\n");
        }
        descriptor::set_nonblocking(&message, false)
            .map_err(|_| &b"Zqmail-spawn unable to open message. (#4.3.0)\n"[..])?;
        Ok(message)
    }
}

const NO_PIPE: &[u8] = b"Zqmail-spawn unable to create pipe. (#4.3.0)\n";

impl Running {
    fn new(request: Request, message: File, stage: Stage, process: Process, pipe: OwnedFd) -> Running {
        let pipe = File::from(pipe);
        Running { request, message, stage, process, pipe, output: Vec::new(), at_end: false, ended: None }
    }
}

struct Ready {
    slots: Vec<u16>,
    input: bool,
}
