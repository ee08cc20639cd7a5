//! The log directory, which is the working directory: files made, filled, put on disk and removed by the rules of
//! [`super::rotation`].
//!
//! What a crash leaves: the file being written, mode 0644, with all or part of what was written to it. A file of mode
//! 0444 is on disk with its name.

use super::rotation::{self, LogName};
use crate::backlog::Store;
use crate::extent::Extent;
use crate::names;
use crate::patience::{Patience, Trouble};
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use unix::failure::is_absent;
use unix::file;
use unix::stamp::Stamp;

/// How much is kept, and where files are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Where a file ends.
    pub extent: Extent,
    /// Files that may be there, the one being written included.
    pub files: u64,
}

/// The files of one log.
pub struct Log {
    limits: Limits,
    current: Option<Current>,
    /// The newest name that this log tried to use; the next one comes after it.
    newest: Option<LogName>,
    /// Whether there was a file already.
    is_started: bool,
}

/// The file being written. It is not complete: a complete one is closed at once.
struct Current {
    name: LogName,
    file: File,
    written: u64,
}

impl Log {
    /// A log in the working directory. Its first file is made by the first [`settle`](Store::settle).
    pub fn new(limits: Limits) -> Log {
        Log { limits, current: None, newest: None, is_started: false }
    }

    /// Closes the file being written, if there is one: contents on disk, mode 0444, name on disk.
    ///
    /// After a failed fsync the kernel takes the data for written, and another fsync would say so (R2). The file
    /// then keeps mode 0644, so that 0444 goes on meaning "on disk"; the log goes on in the next one.
    pub fn finish(&mut self, patience: &mut Patience<'_>) {
        let Some(Current { name, file, .. }) = self.current.take() else { return };
        let object = name.encode().into_bytes();
        if let Err(error) = file.sync_all() {
            let trouble = Trouble::new("unable to sync to", object, error);
            return patience.warn(&trouble, ", part of it may be lost");
        }
        // Only a courtesy: nobody should write to it any more.
        let _ = file.set_permissions(Permissions::from_mode(0o444));
        if let Err(error) = file::sync_directory(Path::new(".")) {
            let trouble = Trouble::new("unable to sync directory with", object, error);
            patience.warn(&trouble, ", a crash may take the name");
        }
    }

    /// The file being written, or a new one.
    fn current(&mut self, patience: &mut Patience<'_>) -> Result<&mut Current, Trouble> {
        if self.current.is_none() {
            self.current = Some(self.create(patience)?);
            self.is_started = true;
        }
        Ok(self.current.as_mut().expect("there is a file since the line before"))
    }

    /// Makes room for one more file and creates it. A name that is taken is not tried again.
    fn create(&mut self, patience: &mut Patience<'_>) -> Result<Current, Trouble> {
        let names = names::list(Path::new("."))
            .map_err(|error| Trouble::new("unable to read directory", "", error))?;
        let newest = names.iter().filter_map(|name| LogName::decode(name)).max();
        for name in rotation::to_remove(names, self.limits.files) {
            remove(name, patience);
        }
        let name = LogName::next(newest.max(self.newest), Stamp::now().seconds);
        self.newest = Some(name);
        let object = name.encode();
        match file::create_new(Path::new(&object), 0o644) {
            Ok(file) => Ok(Current { name, file, written: 0 }),
            Err(error) => Err(Trouble::new("unable to create", object, error)),
        }
    }
}

impl Store for Log {
    /// A next file is made only when there is a byte for it.
    fn write(&mut self, bytes: &[u8], patience: &mut Patience<'_>) -> Result<usize, Trouble> {
        let extent = self.limits.extent;
        let current = self.current(patience)?;
        let part = extent.part(current.written, bytes);
        let length = current.write(bytes.get(..part.length).unwrap_or(bytes))?;
        if part.ends_file && length == part.length {
            self.finish(patience);
        }
        Ok(length)
    }

    /// Makes the first file, before there is anything to write to it.
    fn settle(&mut self, patience: &mut Patience<'_>) -> Result<(), Trouble> {
        if self.is_started { Ok(()) } else { self.current(patience).map(|_| ()) }
    }

    fn write_at_last(&mut self, bytes: &[u8]) -> Option<usize> {
        self.current.as_mut()?.write(bytes).ok()
    }
}

impl Current {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Trouble> {
        let error = match self.file.write(bytes) {
            Ok(0) => ErrorKind::WriteZero.into(),
            Ok(length) => {
                self.written = self.written.saturating_add(length as u64);
                return Ok(length);
            }
            Err(error) => error,
        };
        Err(Trouble::new("unable to write to", self.name.encode(), error))
    }
}

/// A file that cannot be removed stays and is not in the way of the next one.
fn remove(name: Vec<u8>, patience: &mut Patience<'_>) {
    match fs::remove_file(Path::new(OsStr::from_bytes(&name))) {
        Err(error) if !is_absent(&error) => {
            patience.warn(&Trouble::new("unable to remove", name, error), "");
        }
        _ => {}
    }
}
