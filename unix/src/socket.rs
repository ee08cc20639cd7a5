//! Options of sockets that the standard library does not know.

use nix::errno::Errno;
use nix::libc;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

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
