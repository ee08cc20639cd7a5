//! The name of this machine.

use nix::errno::Errno;
use std::io;
use std::os::unix::ffi::OsStringExt;

/// What the kernel says the machine is called.
///
/// # Errors
/// ENOENT if it has no name.
pub fn name() -> io::Result<Vec<u8>> {
    let name = nix::unistd::gethostname()?.into_vec();
    if name.is_empty() { Err(Errno::ENOENT.into()) } else { Ok(name) }
}
