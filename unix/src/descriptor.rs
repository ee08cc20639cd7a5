//! File descriptors: the standard ones, inherited ones, pipes, and what a child is given.

use nix::errno::Errno;
use nix::fcntl::{F_GETFD, F_GETFL, F_SETFD, F_SETFL, F_SETPIPE_SZ, FdFlag, OFlag, fcntl};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

/// One of the descriptors 0, 1 and 2, read and written without a buffer.
#[derive(Clone, Copy, Debug)]
pub struct Standard(BorrowedFd<'static>);

/// Descriptor 0.
pub fn input() -> Standard {
    standard(0)
}

/// Descriptor 1.
pub fn output() -> Standard {
    standard(1)
}

/// Descriptor 2.
pub fn error() -> Standard {
    standard(2)
}

/// Opens those of the three on /dev/null that are closed, so that no file of ours gets their numbers. Rust's runtime does it
/// before main; this is for a program that starts without it.
pub(crate) fn open_standard_ones() -> io::Result<()> {
    for number in 0..=2 {
        if fcntl(standard(number), F_GETFD) == Err(Errno::EBADF) {
            // The lowest free number, which is this one.
            let _kept_open = std::fs::File::options().read(true).write(true).open("/dev/null")?.into_raw_fd();
        }
    }
    Ok(())
}

fn standard(number: RawFd) -> Standard {
    // SAFETY: Rust's runtime or `open_standard_ones` opens descriptors 0–2 before main, and nothing of ours owns one of them,
    // so none is closed while a borrow of it can be used. (A program that closes one with
    // `close_numbers` gets EBADF from here on, which is an error and not undefined behaviour.)
    Standard(unsafe { BorrowedFd::borrow_raw(number) })
}

impl AsFd for Standard {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0
    }
}

impl Read for Standard {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(nix::unistd::read(self.0, buffer)?)
    }
}

impl Write for Standard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(nix::unistd::write(self.0, bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes the parts and a newline to standard error in one write. Nobody is left to tell if that fails.
pub fn write_error_line(parts: &[&[u8]]) {
    let mut line = parts.concat();
    line.push(b'\n');
    let _ = error().write_all(&line);
}

/// Takes over a descriptor that the parent process left open for us, as `qmail-send` does with 0 to 6.
///
/// # Errors
/// EBADF if it is not open.
pub fn inherited(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the borrow lives for this call only, and fcntl checks whether the number is open.
    let flags = fcntl(unsafe { BorrowedFd::borrow_raw(number) }, F_GETFD)?;
    // SAFETY: the descriptor is open, and each program takes each of its documented descriptors once,
    // before it opens anything else, so nobody else owns this number.
    let owned = unsafe { OwnedFd::from_raw_fd(number) };
    fcntl(&owned, F_SETFD(FdFlag::from_bits_retain(flags) | FdFlag::FD_CLOEXEC))?;
    Ok(owned)
}

/// A pipe: (read end, write end), neither of which survives an exec.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(nix::unistd::pipe2(OFlag::O_CLOEXEC)?)
}

/// Gives a pipe room for so many bytes, where the system lets itself be asked. Smaller pipes work as well, slower.
pub fn enlarge_pipe(pipe: impl AsFd, size: usize) {
    if let Ok(size) = i32::try_from(size) {
        let _ = fcntl(pipe, F_SETPIPE_SZ(size));
    }
}

/// Switches O_NONBLOCK on or off.
pub fn set_nonblocking(descriptor: impl AsFd, nonblocking: bool) -> io::Result<()> {
    let mut flags = OFlag::from_bits_retain(fcntl(&descriptor, F_GETFL)?);
    flags.set(OFlag::O_NONBLOCK, nonblocking);
    fcntl(&descriptor, F_SETFL(flags))?;
    Ok(())
}

/// Lets a descriptor survive exec, or not.
pub fn set_inheritable(descriptor: impl AsFd, inheritable: bool) -> io::Result<()> {
    let mut flags = FdFlag::from_bits_retain(fcntl(&descriptor, F_GETFD)?);
    flags.set(FdFlag::FD_CLOEXEC, !inheritable);
    fcntl(&descriptor, F_SETFD(flags))?;
    Ok(())
}

/// Makes `number` a copy of the descriptor that a program run later inherits, in place of what `number` was.
///
/// For use between fork and exec, and in a process that serves calls, between two of them. The caller makes sure that it does not own
/// `number` as an `OwnedFd` that it goes on using.
pub fn place(descriptor: impl AsFd, number: RawFd) -> io::Result<()> {
    let descriptor = descriptor.as_fd();
    if descriptor.as_raw_fd() == number {
        return set_inheritable(descriptor, true);
    }
    // SAFETY: dup2 touches only the descriptor table. What `number` was is closed by it; by this function's
    // contract no OwnedFd for it is used afterwards.
    let result = unsafe { nix::libc::dup2(descriptor.as_raw_fd(), number) };
    Errno::result(result)?;
    Ok(())
}

/// Copies descriptors to new numbers, all "at once": no copy overwrites another's source.
///
/// For use between fork and exec, like [`place`].
pub fn place_all(wanted: &[(BorrowedFd<'_>, RawFd)]) -> io::Result<()> {
    let above = wanted.iter().map(|(_, number)| *number).max().unwrap_or(2).saturating_add(1);
    let mut parked = Vec::with_capacity(wanted.len());
    for (descriptor, number) in wanted {
        parked.push((copy_above(descriptor, above)?, *number));
    }
    parked.iter().try_for_each(|(copy, number)| place(copy, *number))
}

/// Gives a descriptor the lowest free number that is not below this one.
pub(crate) fn move_above(descriptor: OwnedFd, least: u8) -> io::Result<OwnedFd> {
    if descriptor.as_raw_fd() >= RawFd::from(least) {
        return Ok(descriptor);
    }
    copy_above(descriptor, least.into())
}

/// A copy of a descriptor, closed on exec, under the lowest free number that is not below `least`.
pub(crate) fn copy_above(descriptor: impl AsFd, least: RawFd) -> io::Result<OwnedFd> {
    let copy = fcntl(descriptor, nix::fcntl::F_DUPFD_CLOEXEC(least))?;
    // SAFETY: fcntl has just made this descriptor, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// Takes over descriptors that have just come in a message (`SCM_RIGHTS`).
pub(crate) fn received(numbers: Vec<RawFd>) -> Vec<OwnedFd> {
    // SAFETY: the kernel has opened each of them for this process with the message, so nobody else owns it.
    numbers.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) }).collect()
}

/// Closes the numbered descriptors; those that are not open are passed over.
///
/// For use between fork and exec, between two calls that a process serves, or on numbers that the program inherited and never took over.
pub fn close_numbers(numbers: impl IntoIterator<Item = RawFd>) {
    for number in numbers {
        // SAFETY: closing touches only the descriptor table; by contract no OwnedFd for it is used afterwards.
        unsafe { nix::libc::close(number) };
    }
}
