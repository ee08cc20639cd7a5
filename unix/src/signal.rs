//! Signals: set aside, or turned into something that `poll` can wait for.

use nix::libc;
pub use nix::sys::signal::Signal;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

/// Ignores a signal. Programs run later inherit that, unless [`default`] is called before exec.
pub fn ignore(signal: Signal) {
    set(signal, SigHandler::SigIgn);
}

/// Gives a signal its default action back.
pub fn default(signal: Signal) {
    set(signal, SigHandler::SigDfl);
}

fn set(signal: Signal, action: SigHandler) {
    // SAFETY: no function of ours is installed, only "ignore" or "default". The call fails for KILL and
    // STOP alone, whose action cannot be changed and which nobody passes here.
    let _ = unsafe { nix::sys::signal::signal(signal, action) };
}

/// The status of a process that ends by a fault, once [`exit_on_fault`] was called.
static FAULT_STATUS: AtomicI32 = AtomicI32::new(0);

/// From now on a fault (ILL, ABRT, FPE, BUS, SEGV, SYS) ends this process with a status, without a memory dump.
pub fn exit_on_fault(status: u8) {
    FAULT_STATUS.store(i32::from(status), Ordering::SeqCst);
    // On the stack that the standard library keeps for signals: the fault may be that the other one is full.
    let action = SigAction::new(SigHandler::Handler(end_by_fault), SaFlags::SA_ONSTACK, SigSet::empty());
    for fault in
        [Signal::SIGILL, Signal::SIGABRT, Signal::SIGFPE, Signal::SIGBUS, Signal::SIGSEGV, Signal::SIGSYS]
    {
        // SAFETY: the handler only reads an atomic number and calls _exit, which a signal handler may do.
        let _ = unsafe { nix::sys::signal::sigaction(fault, &action) };
    }
}

extern "C" fn end_by_fault(_: libc::c_int) {
    // SAFETY: _exit takes any number, runs nothing of ours, and does not return.
    unsafe { libc::_exit(FAULT_STATUS.load(Ordering::SeqCst)) }
}

/// Whether a signal is ignored, as a shell arranges SIGINT for a background job.
pub fn is_ignored(signal: Signal) -> bool {
    // SAFETY: a sigaction is made of integers and a handler address that may be null, so all zeros is a value.
    let mut present: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: without a new action the call only stores the present one, in memory that is ours.
    let result = unsafe { libc::sigaction(signal as i32, std::ptr::null(), &raw mut present) };
    result == 0 && present.sa_sigaction == libc::SIG_IGN
}

/// Holds every signal back until [`unblock_all`], for a fork whose child must not run the parent's handlers.
pub fn block_all() {
    let _ = SigSet::all().thread_set_mask();
}

/// Lets every signal through, whatever the parent process had blocked.
pub fn unblock_all() {
    let _ = SigSet::empty().thread_set_mask();
}

/// Signals that were caught, as flags and a descriptor that becomes readable with each of them.
///
/// System calls are restarted after a caught signal, so wait in `poll`, which is not.
pub struct Signals {
    flags: Vec<(Signal, Arc<AtomicBool>)>,
    wakeup: UnixStream,
}

impl Signals {
    /// Catches these signals from now on.
    pub fn catch(signals: &[Signal]) -> io::Result<Signals> {
        let (wakeup, sender) = UnixStream::pair()?;
        wakeup.set_nonblocking(true)?;
        sender.set_nonblocking(true)?;
        let mut flags = Vec::with_capacity(signals.len());
        for signal in signals {
            let flag = Arc::new(AtomicBool::new(false));
            // The flag is registered before the wake-up, so whoever is woken sees it.
            signal_hook::flag::register(*signal as i32, Arc::clone(&flag))?;
            signal_hook::low_level::pipe::register(*signal as i32, sender.try_clone()?)?;
            flags.push((*signal, flag));
        }
        // The handlers outlive this value. Without a reader, one that runs after it is dropped would raise SIGPIPE.
        let _kept_open = wakeup.try_clone()?.into_raw_fd();
        Ok(Signals { flags, wakeup })
    }

    /// Whether the signal came since the last time this was asked.
    pub fn take(&self, signal: Signal) -> bool {
        self.flags.iter().any(|(known, flag)| *known == signal && flag.swap(false, Ordering::SeqCst))
    }

    /// Empties the descriptor, so that `poll` waits again. Call it before [`take`](Signals::take).
    pub fn drain(&self) {
        let mut buffer = [0; 64];
        while matches!((&self.wakeup).read(&mut buffer), Ok(length) if length > 0) {}
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wakeup.as_fd()
    }
}

/// Signals that are held back until somebody asks for them, and a descriptor that is readable while there are any.
///
/// There is no handler, so a child that shares our memory has nothing to undo but the mask: see
/// [`unblock_all`].
pub struct Held(SignalFd);

impl Held {
    /// Holds these signals back from now on.
    pub fn hold(signals: &[Signal]) -> io::Result<Held> {
        let set: SigSet = signals.iter().copied().collect();
        set.thread_block()?;
        Ok(Held(SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?))
    }

    /// One that came; several of a kind count as one. `None` if there is none, or it cannot be told now.
    pub fn take(&self) -> Option<Signal> {
        let signal = self.0.read_signal().ok().flatten()?;
        Signal::try_from(i32::try_from(signal.ssi_signo).ok()?).ok()
    }
}

impl AsFd for Held {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Ends the process with SIGALRM after so many seconds; 0 stops that clock.
pub fn alarm(seconds: u32) {
    if seconds == 0 {
        nix::unistd::alarm::cancel();
    } else {
        nix::unistd::alarm::set(seconds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_signal_is_taken_once() {
        let held = Held::hold(&[Signal::SIGUSR1]).unwrap();
        assert_eq!(held.take(), None);
        nix::sys::signal::raise(Signal::SIGUSR1).unwrap();
        assert_eq!([held.take(), held.take()], [Some(Signal::SIGUSR1), None]);
    }

    #[test]
    fn an_ignored_signal_is_known_as_such() {
        assert!(!is_ignored(Signal::SIGUSR2));
        ignore(Signal::SIGUSR2);
        assert!(is_ignored(Signal::SIGUSR2));
        default(Signal::SIGUSR2);
        assert!(!is_ignored(Signal::SIGUSR2));
    }
}
