//! Starting a process without copying this one and without waiting for it.
//!
//! A fork copies the page tables of the parent, and a vfork stops the parent until the child has become another program.
//! A child of a [`Starter`] shares the parent's memory while the parent goes on, as a thread would. All that it does is
//! written down before, in a [`Start`]: it says some lines, places descriptors, and becomes a program or exits.
//!
//! Such a child must not touch what belongs to the parent's thread: the allocator, thread-local variables and, among these,
//! `errno`. So it talks to the kernel by itself (`call`), on a stack of its own, and reads nothing but its `Start`, which
//! stays where it is until the kernel says that the child has left our memory. On a processor for which we do not know how
//! to call the kernel, the parent waits as for a vfork.

use crate::exec::Program;
use crate::failure;
use crate::process::Pid;
use nix::errno::Errno;
use nix::libc;
use std::ffi::CStr;
use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicI32, Ordering};

/// What a process does from its start to its end, or until it has become another program.
pub struct Start {
    /// What it says first on standard error.
    pub lines: Vec<Line>,
    /// What it does then.
    pub then: Then,
}

/// A line for standard error.
pub struct Line {
    /// The text, or what comes before the process number.
    pub before: Vec<u8>,
    /// What comes after the number; `None` if the number is not wanted.
    pub after: Option<Vec<u8>>,
}

/// What a process does when it has said its lines.
pub enum Then {
    /// It exits with this status.
    Exit(u8),
    /// It becomes a program.
    Run(Box<Run>),
}

/// A program, and what it needs.
pub struct Run {
    /// The program.
    pub program: Program,
    /// Which descriptors (first) it gets under which numbers (second), one after the other.
    pub descriptors: Vec<(RawFd, RawFd)>,
    /// What to say, before the reason, when descriptors cannot be placed; `None`: nothing.
    pub not_placed: Option<Vec<u8>>,
    /// What to say, before the reason, when the program cannot be run; `None`: nothing.
    pub not_run: Option<Vec<u8>>,
    /// The status to exit with in both cases.
    pub failed: u8,
}

impl Line {
    /// A line without a number.
    pub fn plain(text: Vec<u8>) -> Line {
        Line { before: text, after: None }
    }

    /// Says it now, as the process that this is.
    pub fn say(&self) {
        self.say_with(|| call(libc::SYS_getpid, [0; 4]).unwrap_or(0));
    }

    /// Says it now, in place of that process.
    pub fn say_for(&self, process: Pid) {
        self.say_with(|| usize::try_from(process.as_raw()).unwrap_or(0));
    }

    fn say_with(&self, number: impl FnOnce() -> usize) {
        let mut digits = [0; 10];
        let (number, after): (&[u8], &[u8]) = match &self.after {
            Some(after) => (decimal(number(), &mut digits), after),
            None => (b"", b""),
        };
        write_line([&self.before, number, after]);
    }
}

impl Start {
    /// Does all of it in this process, which has to be a child that was made for it.
    pub fn carry_out(&self) -> ! {
        for line in &self.lines {
            line.say();
        }
        let code = match &self.then {
            Then::Exit(code) => *code,
            Then::Run(run) => run.attempt(),
        };
        loop {
            let _ = call(libc::SYS_exit_group, [usize::from(code), 0, 0, 0]);
        }
    }
}

impl Run {
    /// Becomes the program; returns the status to exit with if that failed.
    fn attempt(&self) -> u8 {
        let placed = self.descriptors.iter().try_for_each(|(from, to)| place(*from, *to));
        let (complaint, errno) = match placed {
            Err(errno) => (&self.not_placed, errno),
            Ok(()) => {
                set_signals_free();
                (&self.not_run, self.program.attempt_with(execve))
            }
        };
        if let Some(complaint) = complaint {
            let reason = failure::describe(&io::Error::from(errno));
            write_line([complaint, b": ", reason.as_bytes()]);
        }
        self.failed
    }
}

fn write_line([before, middle, after]: [&[u8]; 3]) {
    let parts = [before, middle, after, b"\n"];
    let parts =
        parts.map(|part| libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() });
    // Nobody is left to tell if that fails.
    let _ = call(libc::SYS_writev, [2, parts.as_ptr().addr(), parts.len(), 0]);
}

/// Makes `to` a copy of `from` that a program run later inherits.
fn place(from: RawFd, to: RawFd) -> Result<(), Errno> {
    let [source, target] = [from, to].map(|number| usize::try_from(number).unwrap_or(usize::MAX));
    if from == to {
        call(libc::SYS_fcntl, [source, libc::F_SETFD as usize, 0, 0])?;
    } else {
        call(libc::SYS_dup3, [source, target, 0, 0])?;
    }
    Ok(())
}

/// Lets every signal through, and a broken pipe end the program again, which Rust's runtime ignores.
fn set_signals_free() {
    // All zeros is the default action and the empty set, and is as long as either of them anywhere.
    let zeros = [0_usize; 8];
    let zeros = zeros.as_ptr().addr();
    let _ = call(libc::SYS_rt_sigaction, [libc::SIGPIPE as usize, zeros, 0, SIGNAL_SET]);
    let _ = call(libc::SYS_rt_sigprocmask, [libc::SIG_SETMASK as usize, zeros, 0, SIGNAL_SET]);
}

/// Bytes of the kernel's set of signals.
const SIGNAL_SET: usize = if cfg!(any(target_arch = "mips", target_arch = "mips64")) { 16 } else { 8 };

fn execve(
    path: &CStr,
    arguments: *const *const libc::c_char,
    environment: *const *const libc::c_char,
) -> Errno {
    let done = call(libc::SYS_execve, [path.as_ptr().addr(), arguments.addr(), environment.addr(), 0]);
    done.err().unwrap_or(Errno::UnknownErrno)
}

/// A number in figures.
fn decimal(mut number: usize, digits: &mut [u8; 10]) -> &[u8] {
    let mut first = digits.len();
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' | (number % 10).to_le_bytes()[0];
        number /= 10;
        first = at;
        if number == 0 {
            break;
        }
    }
    digits.get(first..).unwrap_or_default()
}

/// Starts processes. One is enough for a program; the memory that its children need is never given back.
pub struct Starter {
    places: Vec<&'static Place>,
}

/// What one child needs for as long as it shares our memory.
struct Place {
    /// Not 0 while a child is here; the kernel writes the 0 when the child has become another program or ended.
    taken: AtomicI32,
    start: std::cell::UnsafeCell<Option<Start>>,
    stack: std::cell::UnsafeCell<Vec<u128>>,
}

/// How many children may be under way to their programs. On a busy machine they wait for a processor first, so it is more than
/// there are processors.
const PLACES: usize = 16;
/// Stack of a child, in units of 16 bytes: 16 KiB, of which it uses a quarter at most.
const STACK: usize = 1 << 10;

impl Starter {
    /// No child is under way.
    #[expect(clippy::new_without_default, reason = "it leaks, which a default should not")]
    pub fn new() -> Starter {
        Starter { places: Vec::new() }
    }

    /// Starts a process that carries this out. Descriptors that `start` names may be closed afterwards.
    ///
    /// This process must have no signal handlers of its own: they would run in the child as well.
    ///
    /// # Errors
    /// If there is no process or memory for it.
    pub fn start(&mut self, start: Start) -> io::Result<Pid> {
        let (place, is_spare) = self.free_place();
        let waits = is_spare || !CALLS_DIRECTLY;
        let flags = if waits { libc::CLONE_VFORK } else { libc::CLONE_CHILD_CLEARTID };
        // SAFETY: no child is in this place, so nobody else reads or writes what is in it.
        let stack = unsafe {
            *place.start.get() = Some(start);
            (*place.stack.get()).spare_capacity_mut().as_mut_ptr_range().end
        };
        place.taken.store(i32::from(!waits), Ordering::Release);
        // SAFETY: the stack grows downwards from an aligned end, is larger than what the child uses, and belongs to it alone.
        // The place is never freed, and is not touched before the child is out of it (CLEARTID), or at once because this
        // process waits for that (VFORK). The child reads its `Start`, writes its stack, and calls the kernel by itself.
        let pid = Errno::result(unsafe {
            libc::clone(
                carry_out,
                stack.cast(),
                libc::CLONE_VM | flags | libc::SIGCHLD,
                place.start.get().cast(),
                std::ptr::null_mut::<libc::c_void>(),
                std::ptr::null_mut::<libc::c_void>(),
                place.taken.as_ptr(),
            )
        });
        if pid.is_err() {
            place.taken.store(0, Ordering::Release);
        }
        Ok(Pid::from_raw(pid?))
    }

    /// A place without a child, and whether it is the one that is waited for: the last, when all others are taken.
    fn free_place(&mut self) -> (&'static Place, bool) {
        let is_free = |place: &Place| place.taken.load(Ordering::Acquire) == 0;
        let at = self.places.iter().position(|place| is_free(place)).unwrap_or(self.places.len());
        if let Some(place) = self.places.get(at) {
            return (place, at >= PLACES);
        }
        let place = Box::leak(Box::new(Place {
            taken: AtomicI32::new(0),
            start: None.into(),
            stack: Vec::with_capacity(STACK).into(),
        }));
        self.places.push(place);
        (place, at >= PLACES)
    }
}

extern "C" fn carry_out(start: *mut libc::c_void) -> libc::c_int {
    // SAFETY: the parent passes what it has put into a place that is ours until we leave it.
    match unsafe { &*start.cast::<Option<Start>>() } {
        Some(start) => start.carry_out(),
        None => 0,
    }
}

/// Calls the kernel without the C library, which would write `errno`: the parent's, in a child that shares its memory.
///
/// For the calls of this file alone: their pointers are to live memory that the kernel reads and does not write.
#[cfg(target_arch = "x86_64")]
fn call(number: libc::c_long, [a, b, c, d]: [usize; 4]) -> Result<usize, Errno> {
    let result: libc::c_long;
    // SAFETY: the x86-64 convention of Linux; the kernel changes rax, rcx and r11 and no memory of ours.
    unsafe {
        std::arch::asm!("syscall", inlateout("rax") number => result, in("rdi") a, in("rsi") b, in("rdx") c,
            in("r10") d, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    outcome(result)
}

/// The same on 64-bit ARM.
#[cfg(target_arch = "aarch64")]
fn call(number: libc::c_long, [a, b, c, d]: [usize; 4]) -> Result<usize, Errno> {
    let result: libc::c_long;
    // SAFETY: the AArch64 convention of Linux; the kernel changes x0 alone and no memory of ours.
    unsafe {
        std::arch::asm!("svc 0", in("x8") number, inlateout("x0") a as libc::c_long => result, in("x1") b, in("x2") c, in("x3") d,
            options(nostack));
    }
    outcome(result)
}

/// The same anywhere else. It writes `errno`, so the parent waits.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn call(number: libc::c_long, [a, b, c, d]: [usize; 4]) -> Result<usize, Errno> {
    // SAFETY: as for the other two; the C library passes the numbers on.
    let result = unsafe { libc::syscall(number, a, b, c, d) };
    Errno::result(result).map(|value| usize::try_from(value).unwrap_or(0))
}

const CALLS_DIRECTLY: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

/// The kernel returns an error as its negative number.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn outcome(result: libc::c_long) -> Result<usize, Errno> {
    usize::try_from(result).map_err(|_| Errno::from_raw(i32::try_from(result.unsigned_abs()).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;
    use crate::exec::Search;
    use crate::process::{Ended, wait_for};
    use std::io::Read;
    use std::os::fd::AsRawFd;

    fn exit(code: u8) -> Start {
        Start { lines: Vec::new(), then: Then::Exit(code) }
    }

    fn run(words: &[&str], descriptors: Vec<(RawFd, RawFd)>) -> Start {
        let words: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        let program = Program::prepare(&words, &Environment::inherited(), Search::Path).unwrap();
        Start {
            lines: Vec::new(),
            then: Then::Run(Box::new(Run {
                program,
                descriptors,
                not_placed: None,
                not_run: None,
                failed: 111,
            })),
        }
    }

    #[test]
    fn children_have_ends_of_their_own() {
        let mut starter = Starter::new();
        for code in [0, 7, 255] {
            let child = starter.start(exit(code)).unwrap();
            assert_eq!(wait_for(child).unwrap(), Ended::Exited(code));
        }
    }

    #[test]
    fn a_program_gets_its_descriptors() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let start = run(&["sh", "-c", "echo said >&1"], vec![(writer.as_raw_fd(), 1)]);
        let child = Starter::new().start(start).unwrap();
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), wait_for(child).unwrap()), ("said\n", Ended::Exited(0)));
    }

    #[test]
    fn what_cannot_be_run_or_placed_ends_with_the_status_for_that() {
        let mut starter = Starter::new();
        for start in [run(&["/nonexistent/program"], Vec::new()), run(&["true"], vec![(-1, 1)])] {
            let child = starter.start(start).unwrap();
            assert_eq!(wait_for(child).unwrap(), Ended::Exited(111));
        }
    }

    #[test]
    fn more_children_than_places_are_started_and_places_are_used_again() {
        let mut starter = Starter::new();
        for _ in 0..10 {
            let children: Vec<Pid> = (0..3 * PLACES)
                .map(|_| starter.start(run(&["sh", "-c", "exit 3"], Vec::new())).unwrap())
                .collect();
            for child in children {
                assert_eq!(wait_for(child).unwrap(), Ended::Exited(3));
            }
        }
        assert!(starter.places.len() <= PLACES + 1);
    }

    #[test]
    fn numbers_are_shown_in_full() {
        let shown = |number| decimal(number, &mut [0; 10]).to_vec();
        assert_eq!(
            [shown(0), shown(7), shown(4_194_304)],
            [b"0".to_vec(), b"7".to_vec(), b"4194304".to_vec()]
        );
    }
}
