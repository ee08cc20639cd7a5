//! A status file: it shows the last line that was selected for it.

use super::lines::LIMIT;
use crate::patience::{Patience, Trouble};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use unix::failure::Failure;
use unix::file;

/// A status file. Its first [`LIMIT`] bytes are the line and newlines after it, and another newline follows;
/// what a longer file has after them stays.
pub struct Status {
    name: Vec<u8>,
    file: File,
    /// What it has to show and does not yet. Of several lines that come at once only the last is written.
    due: Option<Vec<u8>>,
}

impl Status {
    /// Opens the file, which is made if it is missing.
    pub fn open(name: &[u8]) -> Result<Status, Failure> {
        let path = Path::new(OsStr::from_bytes(name));
        let failure =
            |action: &[u8], error: &io::Error| Failure::temporary([action, name].concat()).because(error);
        file::open_append(path).map_err(|error| failure(b"unable to create ", &error))?;
        let file = file::open_write(path).map_err(|error| failure(b"unable to write ", &error))?;
        Ok(Status { name: name.to_vec(), file, due: None })
    }

    /// Takes a line, without its newline.
    pub fn show(&mut self, line: &[u8]) {
        let block = self.due.get_or_insert_default();
        block.clear();
        block.extend_from_slice(line);
        block.resize(LIMIT.saturating_add(1), b'\n');
    }

    /// Writes the last line that it was given.
    pub fn flush(&mut self, patience: &mut Patience<'_>) -> Result<(), Trouble> {
        let Some(block) = &self.due else { return Ok(()) };
        while let Err(error) = self.file.write_all_at(block, 0) {
            patience.pause(Trouble::new("unable to write", self.name.as_slice(), error))?;
        }
        self.due = None;
        Ok(())
    }
}
