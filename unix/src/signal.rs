//! Signals: set aside, or turned into something that `poll` can wait for.

use nix::libc;
pub use nix::sys::signal::Signal;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

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

/// Lets every signal through, whatever the parent process had blocked.
pub fn unblock_all() {
    let _ = SigSet::empty().thread_set_mask();
}

/// Signals that are held back until somebody asks for them, and a descriptor that is readable while there are any.
///
/// The kernel keeps a signal until it is taken. There is no handler, which could fail to wake anybody, or which a child would
/// have to undo: [`process::fork`](crate::process::fork) lets signals through in the child.
pub struct Signals(SignalFd);

impl Signals {
    /// Holds these signals back from now on, also those that were ignored.
    pub fn hold(signals: &[Signal]) -> io::Result<Signals> {
        let set: SigSet = signals.iter().copied().collect();
        set.thread_block()?;
        // A process that ignores SIGCHLD cannot wait for its children.
        signals.iter().copied().for_each(default);
        Ok(Signals(SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?))
    }

    /// One that came; several of a kind count as one. `None` if there is none, or it cannot be told now.
    pub fn next(&self) -> Option<Signal> {
        let signal = self.0.read_signal().ok().flatten()?;
        Signal::try_from(i32::try_from(signal.ssi_signo).ok()?).ok()
    }

    /// Whether this one of them came since the last time that this was asked.
    pub fn take(&self, signal: Signal) -> bool {
        let set: SigSet = std::iter::once(signal).collect();
        let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the set and the time are ours and live through the call; nothing is stored without a place for it.
        let taken = unsafe { libc::sigtimedwait(set.as_ref(), std::ptr::null_mut(), &raw const at_once) };
        taken == signal as i32
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// While this lives, SIGALRM comes again and again and interrupts whatever waits.
pub(crate) struct Interrupts(());

impl Interrupts {
    /// One of them each time that so much time has passed. The second serves a wait that began just behind the first.
    pub fn each(interval: Duration) -> Interrupts {
        let action = SigAction::new(SigHandler::Handler(do_nothing), SaFlags::empty(), SigSet::empty());
        // SAFETY: the handler does nothing.
        let _ = unsafe { nix::sys::signal::sigaction(Signal::SIGALRM, &action) };
        set_timer(interval);
        Interrupts(())
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        set_timer(Duration::ZERO);
        default(Signal::SIGALRM);
    }
}

extern "C" fn do_nothing(_: libc::c_int) {}

fn set_timer(interval: Duration) {
    let seconds = libc::time_t::try_from(interval.as_secs()).unwrap_or(libc::time_t::MAX);
    let interval = libc::timeval { tv_sec: seconds, tv_usec: 0 };
    let timer = libc::itimerval { it_interval: interval, it_value: interval };
    // SAFETY: the timer is ours and lives through the call; the old one is not asked for.
    let _ = unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_signal_is_taken_once() {
        let signals = Signals::hold(&[Signal::SIGUSR1, Signal::SIGWINCH]).unwrap();
        assert_eq!(signals.next(), None);
        nix::sys::signal::raise(Signal::SIGUSR1).unwrap();
        assert_eq!([signals.next(), signals.next()], [Some(Signal::SIGUSR1), None]);
        nix::sys::signal::raise(Signal::SIGUSR1).unwrap();
        // What a program does not care for by default comes all the same.
        nix::sys::signal::raise(Signal::SIGWINCH).unwrap();
        let take = || signals.take(Signal::SIGUSR1);
        assert_eq!([take(), take()], [true, false]);
        assert_eq!([signals.next(), signals.next()], [Some(Signal::SIGWINCH), None]);
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
