//! Whole-file locks (flock): held by an open file, gone when its last holder closes it.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

/// Waits for the exclusive lock.
pub fn exclusive(file: &File) -> io::Result<()> {
    file.lock()
}

/// Takes the exclusive lock if nobody has it.
///
/// # Errors
/// EAGAIN, described as "temporary failure", if somebody has it.
pub fn try_exclusive(file: &File) -> io::Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(nix::errno::Errno::EAGAIN.into()),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Opens (creating it with mode 0600) and locks a lock file, without waiting.
pub fn try_open(path: &Path) -> io::Result<File> {
    let file = crate::file::open_append(path)?;
    try_exclusive(&file)?;
    Ok(file)
}
