//! Options of sockets that the standard library does not know.

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::MsgFlags;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd};

/// A pipe that `poll` calls writable takes this much without blocking (POSIX, PIPE_BUF). A socket says how
/// much it takes.
const SAFE_WRITE: usize = 512;

/// Removes the IP options of a connection: those of the peer, such as a source route, are not followed back.
pub fn clear_ip_options(socket: impl AsFd) -> io::Result<()> {
    let number = socket.as_fd().as_raw_fd();
    // SAFETY: the descriptor is borrowed for the call; with length 0 the kernel reads nothing through the pointer.
    let result = unsafe { libc::setsockopt(number, libc::IPPROTO_IP, libc::IP_OPTIONS, std::ptr::null(), 0) };
    Errno::result(result)?;
    Ok(())
}

/// Number of the user who is at the other end of a Unix socket, as the kernel has noted it (unix(7), `SO_PEERCRED`).
pub fn peer_uid(socket: impl AsFd) -> io::Result<u32> {
    Ok(nix::sys::socket::getsockopt(&socket, nix::sys::socket::sockopt::PeerCredentials)?.uid())
}

/// Sends as much as the socket takes at once. A connection that is gone is an error and never a signal.
fn send_without_waiting(descriptor: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    Ok(nix::sys::socket::send(descriptor.as_fd().as_raw_fd(), bytes, flags)?)
}

/// Writes as much as a socket takes at once, or, to a pipe that `poll` has called writable, as much as that takes without
/// blocking.
///
/// # Errors
/// EAGAIN if a socket takes nothing now.
pub fn write_without_waiting(mut output: impl AsFd + Write, bytes: &[u8]) -> io::Result<usize> {
    match send_without_waiting(output.as_fd(), bytes) {
        Err(error) if error.raw_os_error() == Some(libc::ENOTSOCK) => {
            output.write(bytes.get(..SAFE_WRITE).unwrap_or(bytes))
        }
        sent => sent,
    }
}

/// Whether a socket could not be had at all, whatever the other side would have said.
pub fn is_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}
