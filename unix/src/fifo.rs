//! Named pipes that hold commands: made once, opened so that they never end.

use crate::file;
use nix::sys::stat::Mode;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// Makes a FIFO with mode 0600. One that is there already is fine.
pub fn make(path: &Path) -> io::Result<()> {
    match nix::unistd::mkfifo(path, Mode::from_bits_truncate(0o600)) {
        Ok(()) | Err(nix::errno::Errno::EEXIST) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Opens a FIFO for reading without waiting for a writer.
///
/// # Errors
/// EPROTO if it is not a FIFO: reading another kind of file would never block.
pub fn open_reader(path: &Path) -> io::Result<File> {
    check(file::open_read(path)?)
}

/// Opens a FIFO for writing without waiting.
///
/// # Errors
/// ENXIO if nobody has it open for reading; EPROTO if it is not a FIFO.
pub fn open_writer(path: &Path) -> io::Result<File> {
    check(OpenOptions::new().write(true).custom_flags(nix::libc::O_NONBLOCK).open(path)?)
}

fn check(file: File) -> io::Result<File> {
    if file.metadata()?.file_type().is_fifo() { Ok(file) } else { Err(nix::errno::Errno::EPROTO.into()) }
}
