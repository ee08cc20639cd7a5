//! Child processes: started, waited for, signalled.

use crate::signal::{self, Signal};
use nix::errno::Errno;
use nix::libc;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
pub use nix::unistd::Pid;
use nix::unistd::{ForkResult, getpid};
use std::io;

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

/// Starts a child that runs `child` and exits with what it returns.
///
/// Programs that fork have one thread (a decision for the whole suite), so the child may do whatever the
/// parent could; nothing of the parent's buffers is flushed in it.
pub fn fork(child: impl FnOnce() -> u8) -> io::Result<Pid> {
    debug_assert!(is_single_threaded(), "a program that forks has one thread");
    // SAFETY: the process has one thread, so no lock can be held by a thread that the child lacks.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            let code = child();
            // SAFETY: _exit ends the process at once; handlers of the parent's exit must not run here.
            unsafe { libc::_exit(i32::from(code)) }
        }
    }
}

/// Starts a child like [`fork`], without copying this process first: it waits here until the child has become
/// another program or has ended. Of use when the child has next to nothing to do before that.
///
/// The child shares the memory, so it may only look at what it borrows, and whatever it has not dropped when
/// it becomes another program stays allocated here. Its descriptors and signal actions are its own; the
/// signals in `defaults` have their default action in it.
pub fn fork_sharing_memory(defaults: &[Signal], child: &mut dyn FnMut() -> u8) -> io::Result<Pid> {
    debug_assert!(is_single_threaded(), "a program that forks has one thread");
    let mut shared = Shared { defaults, child };
    let mut stack: Vec<u128> = Vec::with_capacity(SHARED_STACK);
    let top = stack.spare_capacity_mut().as_mut_ptr_range().end;
    // Held back, so that no handler of ours runs in the child, where it would change our own flags.
    let held = signal::hold_all();
    // SAFETY: the stack grows downwards from an aligned end and is as large as any use of it here; it and
    // `shared` outlive the child's use of them, because CLONE_VFORK keeps this thread, the only one, waiting.
    let pid = Errno::result(unsafe {
        libc::clone(
            run_shared,
            top.cast(),
            libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD,
            (&raw mut shared).cast(),
        )
    });
    signal::restore(&held);
    Ok(Pid::from_raw(pid?))
}

/// Stack of a child that shares our memory, in units of 16 bytes: 64 KiB.
const SHARED_STACK: usize = 1 << 12;

/// What a child that shares our memory has to do.
struct Shared<'a> {
    defaults: &'a [Signal],
    child: &'a mut dyn FnMut() -> u8,
}

extern "C" fn run_shared(shared: *mut libc::c_void) -> libc::c_int {
    // SAFETY: the parent passes a `Shared` that it does not touch while it waits for us.
    let Shared { defaults, child } = unsafe { &mut *shared.cast::<Shared<'_>>() };
    defaults.iter().copied().for_each(signal::default);
    signal::unblock_all();
    let code = child();
    // SAFETY: _exit ends the child at once and leaves the parent's memory as it is.
    unsafe { libc::_exit(i32::from(code)) }
}

fn is_single_threaded() -> bool {
    // The test runner has threads of its own.
    cfg!(test) || std::fs::read_dir("/proc/self/task").map_or(true, |tasks| tasks.count() == 1)
}

/// Collects one child that has ended, without waiting.
pub fn reap_any() -> Option<(Pid, Ended)> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return None,
            Ok(status) => {
                if let Some(ended) = Ended::from_status(status) {
                    return Some(ended);
                }
            }
            Err(Errno::EINTR) => {}
            Err(_) => return None,
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_shares_memory_is_waited_for_and_has_an_end_of_its_own() {
        let mut seen = Vec::new();
        let pid = fork_sharing_memory(&[Signal::SIGUSR1], &mut || {
            seen.push(own_pid());
            7
        });
        let pid = pid.unwrap();
        assert_eq!(seen, [pid]);
        assert_eq!(wait_for(pid).unwrap(), Ended::Exited(7));
    }
}
