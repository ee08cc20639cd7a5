//! The working directory: remembered before it is left, and gone back to.

use std::fs::File;
use std::io;
use std::path::Path;

/// The directory that was the working directory at some moment, whatever it is called by now.
#[derive(Debug)]
pub struct WorkingDirectory(File);

impl WorkingDirectory {
    /// Remembers the present one.
    pub fn current() -> io::Result<WorkingDirectory> {
        Ok(WorkingDirectory(crate::file::open_read(Path::new("."))?))
    }

    /// Makes it the working directory again.
    pub fn enter(&self) -> io::Result<()> {
        Ok(nix::unistd::fchdir(&self.0)?)
    }
}

/// Makes the named directory the working directory.
pub fn enter(path: &Path) -> io::Result<()> {
    std::env::set_current_dir(path)
}
