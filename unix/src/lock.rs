//! Whole-file locks (flock): held by an open file, gone when its last holder closes it.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long to sleep at most between two attempts to get a lock.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Waits for the exclusive lock.
pub fn exclusive(file: &File) -> io::Result<()> {
    file.lock()
}

/// Waits for the exclusive lock, but not longer than the limit.
///
/// # Errors
/// ETIMEDOUT if somebody had it all the time.
pub fn exclusive_within(file: &File, limit: Duration) -> io::Result<()> {
    let start = Instant::now();
    let mut pause = Duration::from_millis(2);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if start.elapsed() >= limit => {
                return Err(nix::errno::Errno::ETIMEDOUT.into());
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(pause),
        }
        pause = LONGEST_PAUSE.min(pause.saturating_mul(2));
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_somebody_keeps_is_waited_for_in_vain() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let holder = try_open(&path).unwrap();
        let other = crate::file::open_append(&path).unwrap();
        let error = exclusive_within(&other, Duration::from_millis(20)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(holder);
        exclusive_within(&other, Duration::ZERO).unwrap();
    }
}
