//! Signals: set aside, or turned into something that `poll` can wait for.

pub use nix::sys::signal::Signal;
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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

/// Whether a signal is ignored, as a shell arranges SIGINT for a background job.
pub fn is_ignored(signal: Signal) -> bool {
    // SAFETY: a sigaction is made of integers and a handler address that may be null, so all zeros is a value.
    let mut present: nix::libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: without a new action the call only stores the present one, in memory that is ours.
    let result = unsafe { nix::libc::sigaction(signal as i32, std::ptr::null(), &raw mut present) };
    result == 0 && present.sa_sigaction == nix::libc::SIG_IGN
}

/// Holds every signal back until [`unblock_all`], for a fork whose child must not run the parent's handlers.
pub fn block_all() {
    let _ = SigSet::all().thread_set_mask();
}

/// Holds every signal back, and says which were held back before.
pub(crate) fn hold_all() -> SigSet {
    SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK).unwrap_or_else(|_| SigSet::empty())
}

/// Holds these signals back and no others.
pub(crate) fn restore(held: &SigSet) {
    let _ = held.thread_set_mask();
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
    fn an_ignored_signal_is_known_as_such() {
        assert!(!is_ignored(Signal::SIGUSR2));
        ignore(Signal::SIGUSR2);
        assert!(is_ignored(Signal::SIGUSR2));
        default(Signal::SIGUSR2);
        assert!(!is_ignored(Signal::SIGUSR2));
    }
}
