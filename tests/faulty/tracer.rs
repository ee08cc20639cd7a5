//! The program under ptrace(2): stopped before and after each of its system calls until one of them goes wrong.
//!
//! Its threads and its children are traced with it, and counted as one; a process that becomes another program is let go,
//! because that is another program's experiment.

use crate::calls::{Argument, Call, Kind};
use harness::fault::{ERRORS, Fault, Order, Seen};
use nix::libc::user_regs_struct;
use nix::sys::ptrace::{self, Event, Options};
use nix::sys::signal::{Signal, kill, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::collections::HashMap;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use super::BROKEN;

/// Descriptors that the tracer has no business to hold while the program has them: pipes to others.
const INHERITED: std::ops::Range<i32> = 0..16;

/// Runs the command to its end; then ends as it did.
pub fn run(command: &mut Command, order: Order, seen: &Path) -> ExitCode {
    let child = unix::process::fork(|| {
        if ptrace::traceme().is_ok() {
            let _ = command.exec();
        }
        BROKEN
    });
    let Ok(root) = child else { return ExitCode::from(BROKEN) };
    unix::descriptor::close_numbers(INHERITED);
    match Tracer::attach(root, order, seen) {
        Ok(mut tracer) => tracer.until_the_end(),
        Err(_) => ExitCode::from(BROKEN),
    }
}

struct Tracer<'a> {
    root: Pid,
    order: Order,
    seen: &'a Path,
    /// Those who are traced, and what each does.
    traced: HashMap<Pid, State>,
    /// Calls that have begun.
    calls: usize,
    listed: Vec<Seen>,
    /// Nothing more is to go wrong.
    is_done: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between two calls.
    Outside,
    /// In a call that goes its way.
    Inside,
    /// In a call that is to return this.
    Returns(i64),
}

impl Tracer<'_> {
    /// The child has stopped at its first instruction.
    fn attach(root: Pid, order: Order, seen: &Path) -> nix::Result<Tracer<'_>> {
        waitpid(root, None)?;
        let options = Options::PTRACE_O_EXITKILL
            | Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_TRACEEXEC
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_TRACEFORK
            | Options::PTRACE_O_TRACEVFORK;
        ptrace::setoptions(root, options)?;
        ptrace::syscall(root, None)?;
        let traced = HashMap::from([(root, State::Outside)]);
        Ok(Tracer { root, order, seen, traced, calls: 0, listed: Vec::new(), is_done: false })
    }

    fn until_the_end(&mut self) -> ExitCode {
        let mut end = None;
        while end.is_none() || !self.traced.is_empty() {
            let Ok(status) = waitpid(None, Some(WaitPidFlag::__WALL)) else { break };
            match status {
                WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, _, _) => {
                    self.traced.remove(&pid);
                    if pid == self.root {
                        end = Some(status);
                    }
                }
                WaitStatus::PtraceSyscall(pid) => self.at_call(pid),
                WaitStatus::PtraceEvent(pid, _, event) if event == Event::PTRACE_EVENT_EXEC as i32 => {
                    self.traced.remove(&pid);
                    let _ = ptrace::detach(pid, None);
                }
                WaitStatus::PtraceEvent(pid, _, _) => self.resume(pid, None),
                WaitStatus::Stopped(pid, signal) => self.at_signal(pid, signal),
                _ => {}
            }
        }
        if self.order == Order::List {
            let lines: String = self.listed.iter().map(|seen| format!("{seen}\n")).collect();
            let _ = fs::write(self.seen, lines);
        }
        end_like(end)
    }

    /// A signal for the program; or the stop that a new thread or child begins with.
    fn at_signal(&mut self, pid: Pid, signal: Signal) {
        let is_new = !self.traced.contains_key(&pid);
        self.traced.entry(pid).or_insert(State::Outside);
        self.resume(pid, Some(signal).filter(|_| !is_new));
    }

    /// At the beginning of a call, or at its end.
    fn at_call(&mut self, pid: Pid) {
        let state = self.traced.get(&pid).copied().unwrap_or(State::Outside);
        let next = match state {
            State::Outside => self.begin(pid),
            State::Inside => State::Outside,
            State::Returns(value) => {
                let _ = change(pid, |registers| registers.rax = value.cast_unsigned());
                State::Outside
            }
        };
        self.traced.insert(pid, next);
        self.resume(pid, None);
    }

    fn begin(&mut self, pid: Pid) -> State {
        let ordinal = self.calls;
        self.calls += 1;
        let is_the_one = |call: usize| call == ordinal && !self.is_done;
        match self.order {
            Order::List => {
                self.listed.extend(ptrace::getregs(pid).ok().map(|registers| describe(&registers)));
                State::Inside
            }
            Order::Fail { call, fault } if is_the_one(call) => {
                self.is_done = true;
                self.fail(pid, fault).unwrap_or(State::Inside)
            }
            Order::Fail { .. } => State::Inside,
        }
    }

    /// Lets the call that begins go wrong; nothing if that cannot be.
    fn fail(&self, pid: Pid, fault: Fault) -> Option<State> {
        let registers = ptrace::getregs(pid).ok()?;
        let call = Call::of(&registers);
        let state = match fault {
            Fault::Kill => State::Inside,
            Fault::Error(_) if call.kind == Kind::Sure => return None,
            Fault::Error(place) => {
                if call.kind != Kind::FailsAfterwards {
                    change(pid, |registers| registers.orig_rax = u64::MAX)?;
                }
                State::Returns(-ERRORS.get(place)?.1)
            }
            Fault::CutToOne | Fault::CutToHalf => {
                let (Kind::Reads(argument) | Kind::Writes(argument)) = call.kind else { return None };
                let length = argument.of(&registers);
                let shorter = if fault == Fault::CutToOne { 1 } else { length / 2 };
                if shorter == 0 || shorter >= length {
                    return None;
                }
                change(pid, |registers| argument.set(registers, shorter))?;
                State::Inside
            }
        };
        fs::write(self.seen, call.name()).ok()?;
        if fault == Fault::Kill {
            // In the stop before a call: the kernel does not enter it any more.
            kill(pid, Signal::SIGKILL).ok()?;
        }
        Some(state)
    }

    /// Lets it run on: to its next call, or, once everything has come to pass, to its end.
    fn resume(&self, pid: Pid, signal: Option<Signal>) {
        let is_needed = !self.is_done || matches!(self.traced.get(&pid), Some(State::Returns(_)));
        // A process that was killed meanwhile is met again at its end.
        let _ = if is_needed { ptrace::syscall(pid, signal) } else { ptrace::cont(pid, signal) };
    }
}

fn describe(registers: &user_regs_struct) -> Seen {
    let call = Call::of(registers);
    let length = match call.kind {
        Kind::Reads(argument) | Kind::Writes(argument) => usize::try_from(argument.of(registers)).ok(),
        _ => None,
    };
    let writes = matches!(call.kind, Kind::Writes(_));
    Seen { name: call.name(), may_fail: call.kind != Kind::Sure, length, writes }
}

impl Argument {
    fn of(self, registers: &user_regs_struct) -> u64 {
        match self {
            Argument::Third => registers.rdx,
            Argument::Fourth => registers.r10,
            Argument::Fifth => registers.r8,
        }
    }

    fn set(self, registers: &mut user_regs_struct, value: u64) {
        match self {
            Argument::Third => registers.rdx = value,
            Argument::Fourth => registers.r10 = value,
            Argument::Fifth => registers.r8 = value,
        }
    }
}

fn change(pid: Pid, change: impl FnOnce(&mut user_regs_struct)) -> Option<()> {
    let mut registers = ptrace::getregs(pid).ok()?;
    change(&mut registers);
    ptrace::setregs(pid, registers).ok()
}

fn end_like(end: Option<WaitStatus>) -> ExitCode {
    match end {
        Some(WaitStatus::Exited(_, code)) => ExitCode::from(u8::try_from(code).unwrap_or(BROKEN)),
        Some(WaitStatus::Signaled(_, signal, _)) => {
            unix::signal::default(signal);
            let _ = raise(signal);
            ExitCode::from(BROKEN)
        }
        _ => ExitCode::from(BROKEN),
    }
}
