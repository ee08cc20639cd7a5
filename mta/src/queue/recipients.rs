//! The recipients of a preprocessed message on one channel: `local/R/N` and `remote/R/N`.
//!
//! Records `T`address NUL (not done) or `D`address NUL (done). A record is marked done by writing one
//! byte in place, so a crash leaves it marked or not, never torn.

use super::envelope::Record;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Reads the records of a channel file one after the other.
pub struct RecipientReader {
    file: BufReader<File>,
    offset: u64,
    record: Vec<u8>,
}

/// What the next record is.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// A recipient that is not done, and where its record begins.
    Recipient {
        /// The address.
        address: Vec<u8>,
        /// Offset of the record's letter in the file.
        offset: u64,
    },
    /// A recipient that is done.
    Done,
    /// A record that is neither.
    Unknown,
    /// The end of the file.
    End,
}

impl RecipientReader {
    /// Opens a channel file.
    pub fn open(path: &Path) -> io::Result<RecipientReader> {
        let file = unix::file::open_read(path)?;
        Ok(RecipientReader { file: BufReader::with_capacity(2048, file), offset: 0, record: Vec::new() })
    }

    /// The next record. An unterminated one at the end counts as the end.
    pub fn next_record(&mut self) -> io::Result<Next> {
        self.record.clear();
        let length = self.file.read_until(0, &mut self.record)?;
        let offset = self.offset;
        self.offset = offset.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        let Some(record) = self.record.strip_suffix(b"\0") else { return Ok(Next::End) };
        Ok(match Record::decode(record) {
            Record::Recipient(address) => Next::Recipient { address: address.to_vec(), offset },
            Record::Done(_) => Next::Done,
            _ => Next::Unknown,
        })
    }
}

/// Marks the recipient whose record begins at `offset` as done.
pub fn mark_done(path: &Path, offset: u64) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.write_all_at(b"D", offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marked_recipient_is_read_as_done() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("7");
        std::fs::write(&path, b"Ta@b\0Tc@d\0Te").unwrap();
        mark_done(&path, 0).unwrap();
        let mut reader = RecipientReader::open(&path).unwrap();
        assert_eq!(reader.next_record().unwrap(), Next::Done);
        assert_eq!(reader.next_record().unwrap(), Next::Recipient { address: b"c@d".to_vec(), offset: 5 });
        assert_eq!(reader.next_record().unwrap(), Next::End);
    }
}
