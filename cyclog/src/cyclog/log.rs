//! The log directory, which is the working directory: files made, filled, put on disk and removed by the rules of
//! [`super::rotation`].
//!
//! What a crash leaves: the file being written, mode 0644, with all or part of what was written to it. A file of mode
//! 0444 is on disk with its name.

use super::rotation::{self, Limits, LogName};
use crate::patience::{Patience, Trouble};
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use unix::failure::is_absent;
use unix::file;
use unix::stamp::Stamp;

/// The files of one log.
pub struct Log {
    limits: Limits,
    current: Option<Current>,
    /// The newest name that this log tried to use; the next one comes after it.
    newest: Option<LogName>,
}

/// The file being written. It is not complete: a complete one is closed at once.
struct Current {
    name: LogName,
    file: File,
    written: u64,
}

/// TERM came while bytes could not be written.
pub struct GaveUp {
    /// What was in the way.
    pub trouble: Trouble,
    /// How many bytes were not written.
    pub unwritten: usize,
}

impl Log {
    /// Makes the first file, before there is anything to write to it.
    pub fn start(limits: Limits, patience: &mut Patience<'_>) -> Result<Log, GaveUp> {
        let mut log = Log { limits, current: None, newest: None };
        log.next_file(patience).map_err(|trouble| GaveUp { trouble, unwritten: 0 })?;
        Ok(log)
    }

    /// Writes all bytes, however long that takes. A next file is made only when there is a byte for it.
    pub fn append(&mut self, bytes: &[u8], patience: &mut Patience<'_>) -> Result<(), GaveUp> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let written = self.append_part(rest, patience);
            let length = written.map_err(|trouble| GaveUp { trouble, unwritten: rest.len() })?;
            rest = rest.get(length..).unwrap_or_default();
        }
        Ok(())
    }

    /// Writes some of the bytes, at least one; how many.
    fn append_part(&mut self, bytes: &[u8], patience: &mut Patience<'_>) -> Result<usize, Trouble> {
        let limits = self.limits;
        let current = self.next_file(patience)?;
        let part = limits.part(current.written, bytes);
        let length = loop {
            match current.write(bytes.get(..part.length).unwrap_or(bytes)) {
                Ok(length) => break length,
                Err(trouble) => patience.pause(trouble)?,
            }
        };
        if part.ends_file && length == part.length {
            self.finish(patience);
        }
        Ok(length)
    }

    /// Closes the file being written, if there is one: contents on disk, mode 0444, name on disk.
    ///
    /// After a failed fsync the kernel takes the data for written, and another fsync would say so (R2). The file
    /// then keeps mode 0644, so that 0444 goes on meaning "on disk"; the log goes on in the next one.
    pub fn finish(&mut self, patience: &mut Patience<'_>) {
        let Some(Current { name, file, .. }) = self.current.take() else { return };
        let object = name.encode().into_bytes();
        if let Err(error) = file.sync_all() {
            let trouble = Trouble { action: "unable to sync to", object, error };
            return patience.warn(&trouble, ", part of it may be lost");
        }
        // Only a courtesy: nobody should write to it any more.
        let _ = file.set_permissions(Permissions::from_mode(0o444));
        if let Err(error) = file::sync_directory(Path::new(".")) {
            let trouble = Trouble { action: "unable to sync directory with", object, error };
            patience.warn(&trouble, ", a crash may take the name");
        }
    }

    /// The file being written, or a new one.
    fn next_file(&mut self, patience: &mut Patience<'_>) -> Result<&mut Current, Trouble> {
        while self.current.is_none() {
            match self.create(patience) {
                Ok(current) => self.current = Some(current),
                Err(trouble) => patience.pause(trouble)?,
            }
        }
        Ok(self.current.as_mut().expect("the loop ends when there is a file"))
    }

    /// Makes room for one more file and creates it. A name that is taken is not tried again.
    fn create(&mut self, patience: &mut Patience<'_>) -> Result<Current, Trouble> {
        let names = list().map_err(|error| Trouble {
            action: "unable to read directory",
            object: Vec::new(),
            error,
        })?;
        let newest = names.iter().filter_map(|name| LogName::decode(name)).max();
        for name in rotation::to_remove(names, self.limits.files) {
            remove(name, patience);
        }
        let name = LogName::next(newest.max(self.newest), Stamp::now().seconds);
        self.newest = Some(name);
        let object = name.encode();
        match file::create_new(Path::new(&object), 0o644) {
            Ok(file) => Ok(Current { name, file, written: 0 }),
            Err(error) => Err(Trouble { action: "unable to create", object: object.into_bytes(), error }),
        }
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
        Err(Trouble { action: "unable to write to", object: self.name.encode().into_bytes(), error })
    }
}

/// A file that cannot be removed stays and is not in the way of the next one.
fn remove(name: Vec<u8>, patience: &mut Patience<'_>) {
    match fs::remove_file(Path::new(OsStr::from_bytes(&name))) {
        Err(error) if !is_absent(&error) => {
            patience.warn(&Trouble { action: "unable to remove", object: name, error }, "");
        }
        _ => {}
    }
}

/// The names in the directory but for those of directories, which are nobody's log whatever they are called (R5).
fn list() -> io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(".")? {
        let entry = entry?;
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_directory {
            names.push(entry.file_name().into_vec());
        }
    }
    Ok(names)
}
