//! Signals: set aside, or turned into something that `poll` can wait for.

pub use nix::sys::signal::Signal;
use nix::sys::signal::{SigHandler, SigSet};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
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
