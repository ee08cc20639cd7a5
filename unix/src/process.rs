//! Child processes: started, waited for, signalled.

use crate::signal::{self, Signal};
use nix::errno::Errno;
use nix::libc;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
pub use nix::unistd::Pid;
use nix::unistd::{ForkResult, getpid};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::time::Duration;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this status.
    Exited(u8),
    /// By a signal, with or without a memory dump.
    Killed {
        /// The number of the signal.
        signal: i32,
        /// Whether memory was dumped.
        dumped: bool,
    },
}

impl Ended {
    /// The number that `wait(2)` gives: status × 256, or the signal (+ 128 with a dump).
    pub fn wait_status(self) -> i32 {
        match self {
            Ended::Exited(code) => i32::from(code).saturating_mul(256),
            Ended::Killed { signal, dumped } => signal.saturating_add(if dumped { 128 } else { 0 }),
        }
    }

    fn from_status(status: WaitStatus) -> Option<(Pid, Ended)> {
        match status {
            // The kernel gives eight bits of the status.
            WaitStatus::Exited(pid, code) => Some((pid, Ended::Exited(code.to_le_bytes()[0]))),
            WaitStatus::Signaled(pid, signal, dumped) => {
                Some((pid, Ended::Killed { signal: signal as i32, dumped }))
            }
            _ => None,
        }
    }
}

/// Starts a child that runs `child` and exits with what it returns. No signal is held back in it.
///
/// Programs that fork have one thread (a decision for the whole suite), so the child may do whatever the
/// parent could; nothing of the parent's buffers is flushed in it.
pub fn fork(child: impl FnOnce() -> u8) -> io::Result<Pid> {
    debug_assert!(is_single_threaded(), "a program that forks has one thread");
    // SAFETY: the process has one thread, so no lock can be held by a thread that the child lacks.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            signal::unblock_all();
            let code = child();
            // SAFETY: _exit ends the process at once; handlers of the parent's exit must not run here.
            unsafe { libc::_exit(i32::from(code)) }
        }
    }
}

/// The same for a child that becomes our parent's, as if that had started it: the parent waits for it.
///
/// # Errors
/// ENOSYS where we do not know how.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(crate) fn fork_sibling(child: impl FnOnce() -> u8) -> io::Result<Pid> {
    debug_assert!(is_single_threaded(), "a program that forks has one thread");
    let nothing: libc::c_ulong = 0;
    let flags = libc::CLONE_PARENT | libc::SIGCHLD;
    // SAFETY: as for `fork`. Without CLONE_VM and a stack the child has a copy of all of our memory and goes on from here. The C
    // library's own preparations for a fork are for other threads and for handlers that nobody has registered.
    let result = unsafe { libc::syscall(libc::SYS_clone, flags, nothing, nothing, nothing, nothing) };
    match Errno::result(result)? {
        0 => {
            signal::unblock_all();
            let code = child();
            // SAFETY: as in `fork`.
            unsafe { libc::_exit(i32::from(code)) }
        }
        pid => Ok(Pid::from_raw(i32::try_from(pid).unwrap_or(0))),
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) fn fork_sibling(_: impl FnOnce() -> u8) -> io::Result<Pid> {
    Err(Errno::ENOSYS.into())
}

/// Whether no other thread can hold a lock. One that was joined has let go of everything, but the kernel may still be
/// taking it away.
fn is_single_threaded() -> bool {
    let is_alone = || std::fs::read_dir("/proc/self/task").map_or(true, |tasks| tasks.count() == 1);
    // The test runner has threads of its own.
    cfg!(test)
        || (0..1000).any(|_| {
            is_alone() || {
                std::thread::sleep(Duration::from_millis(1));
                false
            }
        })
}

/// For a process that is to have a second thread: without this the C library sets up to 128 MB of addresses aside for it, which takes
/// its time and counts against limits on memory.
pub fn keep_one_arena() {
    // SAFETY: the call sets a number of the allocator, which guards it with its own lock. Its failure changes nothing.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1)
    };
}

/// Collects one child that has ended, without waiting.
///
/// Only ECHILD says that there is none. Nobody asks again before the next child ends, so any other error is no answer.
pub fn reap_any() -> Option<(Pid, Ended)> {
    let mut errors = 0..MOST_ERRORS;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return None,
            Ok(status) => {
                if let Some(ended) = Ended::from_status(status) {
                    return Some(ended);
                }
            }
            Err(_) => drop(errors.next()?),
        }
    }
}

/// A kernel that gives so many errors one after the other has no answer.
const MOST_ERRORS: u32 = 1000;

/// Waits for one child.
pub fn wait_for(pid: Pid) -> io::Result<Ended> {
    loop {
        match waitpid(pid, None) {
            Ok(status) => {
                if let Some((_, ended)) = Ended::from_status(status) {
                    return Ok(ended);
                }
            }
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// A descriptor that can be read when that process has ended, whoever's child it is (pidfd_open(2)).
///
/// # Errors
/// ESRCH if there is none; ENOSYS from Linux before 5.3.
pub fn watch(pid: Pid) -> io::Result<OwnedFd> {
    let nothing: libc::c_uint = 0;
    // SAFETY: the call takes two numbers, and gives a new descriptor or an error.
    let descriptor = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), nothing) })?;
    let number = i32::try_from(descriptor).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just opened it, closed on exec, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Sends a signal to a process.
pub fn kill(pid: Pid, signal: Signal) -> io::Result<()> {
    Ok(nix::sys::signal::kill(pid, signal)?)
}

/// Sends a signal to a process group, named by the process that leads it.
pub fn kill_group(leader: Pid, signal: Signal) -> io::Result<()> {
    Ok(nix::sys::signal::killpg(leader, signal)?)
}

/// This process.
pub fn own_pid() -> Pid {
    getpid()
}

/// Sets the permission bits that new files do not get.
pub fn set_umask(bits: u32) {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(bits));
}

/// Makes this process the new parent of descendants whose own parent dies, in place of process 1.
pub fn adopt_orphans() -> io::Result<()> {
    Ok(nix::sys::prctl::set_child_subreaper(true)?)
}

/// Sends this process a signal when its parent dies. Kept over exec.
pub fn signal_at_parents_death(signal: Signal) -> io::Result<()> {
    Ok(nix::sys::prctl::set_pdeathsig(signal)?)
}

/// Puts this process into a process group of its own, which the terminal's Ctrl-C does not reach.
pub fn leave_process_group() -> io::Result<()> {
    Ok(nix::unistd::setpgid(Pid::from_raw(0), Pid::from_raw(0))?)
}

/// Puts this process into a session and a process group of its own, away from any terminal.
///
/// # Errors
/// EPERM if it leads a process group already.
pub fn leave_session() -> io::Result<()> {
    nix::unistd::setsid()?;
    Ok(())
}

/// Whether a process is a child of this one that has not ended.
pub fn is_child(pid: Pid) -> bool {
    matches!(waitpid(pid, Some(WaitPidFlag::WNOHANG)), Ok(WaitStatus::StillAlive))
}
