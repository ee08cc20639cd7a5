//! Directories held open: the working directory, remembered before it is left and gone back to, and a directory
//! whose contents are reached by descriptor, so that nobody can lead us elsewhere by putting a link in place of a
//! component of the path, at whatever moment.

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::mkfifoat;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
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

/// An open directory.
pub struct Directory {
    descriptor: OwnedFd,
}

impl Directory {
    /// Opens a directory by a path that is trusted as a whole.
    pub fn open(path: &Path) -> io::Result<Directory> {
        Ok(Directory { descriptor: File::open(path)?.into() })
    }

    /// Opens the directory below this one that a path names, following no link on the way.
    pub fn descend(&self, path: &Path) -> io::Result<Directory> {
        let start = Directory { descriptor: self.descriptor.try_clone()? };
        path.iter().try_fold(start, |directory, name| {
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let descriptor = openat(&directory.descriptor, name, flags, Mode::empty())?;
            Ok(Directory { descriptor })
        })
    }

    /// Makes a directory in this one with mode 0700. One that is there already is fine.
    pub fn make_directory(&self, name: &Path) -> io::Result<()> {
        unless_there(mkdirat(&self.descriptor, name, Mode::S_IRWXU))
    }

    /// Makes a FIFO in this directory with mode 0600. Whatever is there already is left alone.
    pub fn make_fifo(&self, name: &Path) -> io::Result<()> {
        unless_there(mkfifoat(&self.descriptor, name, Mode::S_IRUSR | Mode::S_IWUSR))
    }

    /// Creates a file in this directory with mode 0600; nothing if something is there already.
    pub fn create_new(&self, name: &Path) -> io::Result<Option<File>> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        match openat(&self.descriptor, name, flags, Mode::S_IRUSR | Mode::S_IWUSR) {
            Ok(descriptor) => Ok(Some(descriptor.into())),
            Err(Errno::EEXIST) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Opens what is in this directory for reading, following no link and waiting for nobody.
    pub fn open_file(&self, name: &Path) -> io::Result<File> {
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(openat(&self.descriptor, name, flags, Mode::empty())?.into())
    }
}

fn unless_there(made: nix::Result<()>) -> io::Result<()> {
    match made {
        Ok(()) | Err(Errno::EEXIST) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// L1
    #[test]
    fn l1_a_link_in_place_of_a_component_is_not_followed() {
        let scratch = tempfile::tempdir().unwrap();
        let top = Directory::open(scratch.path()).unwrap();
        top.make_directory(Path::new("real")).unwrap();
        top.descend(Path::new("real")).unwrap().make_directory(Path::new("in")).unwrap();
        symlink("real", scratch.path().join("link")).unwrap();
        assert!(top.descend(Path::new("real/in")).is_ok());
        assert!(top.descend(Path::new("link/in")).is_err());
        assert!(top.open_file(Path::new("link")).is_err());
        assert!(top.create_new(Path::new("link")).unwrap().is_none());
    }
}
