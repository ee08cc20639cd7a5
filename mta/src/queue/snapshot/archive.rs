//! Reading a snapshot, message by message.

use super::message::{Message, damaged, end_of_contents};
use super::{MAGIC, MESSAGES, UNFINISHED};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use unix::failure::{self, Failure};
use unix::{account, file};

/// Longest first line, in bytes.
const LINE_LIMIT: u64 = 200;

/// A whole snapshot.
pub struct Archive {
    path: PathBuf,
    /// Its name, which no other snapshot has: digits and dots.
    pub name: String,
    input: BufReader<File>,
    /// Where the first message begins.
    first: u64,
    /// Where the text begins of the message that was read last.
    text: u64,
    /// Where the next message begins: before the line end of the last one's text, if there was one.
    next: u64,
    count: u64,
}

impl Archive {
    /// Opens a snapshot and reads through it, so that no part of a damaged one is restored.
    ///
    /// # Errors
    /// Permanent if it is none, was broken off, or may have been written by others.
    pub fn open(directory: &Path) -> Result<Archive, Failure> {
        let path = directory.join(MESSAGES);
        let opened = match file::open_read_no_follow(&path) {
            Err(error) if failure::is_absent(&error) && directory.join(UNFINISHED).exists() => {
                let name = directory.display();
                return Err(Failure::permanent(format!("unable to use {name}: the snapshot is unfinished")));
            }
            opened => opened
                .map_err(|error| super::refused(&format!("unable to open {}", path.display()), &error))?,
        };
        let mut archive = Archive {
            name: String::new(),
            input: BufReader::new(opened),
            first: 0,
            text: 0,
            next: 0,
            count: 0,
            path,
        };
        archive.check_owner()?;
        archive.read_name().map_err(|error| archive.unreadable(&error))?;
        while archive.read_next()?.is_some() {}
        archive.rewind();
        Ok(archive)
    }

    /// Whoever writes it decides what is delivered, and in whose name.
    fn check_owner(&self) -> Result<(), Failure> {
        let found = self.input.get_ref().metadata().map_err(|error| self.unreadable(&error))?;
        let is_ours = found.uid() == 0 || found.uid() == account::effective_uid();
        if found.is_file() && is_ours && found.mode() & 0o022 == 0 {
            return Ok(());
        }
        let path = self.path.display();
        Err(Failure::permanent(format!(
            "unable to use {path}: it belongs to somebody else, or others may write to it"
        )))
    }

    fn read_name(&mut self) -> io::Result<()> {
        let mut line = Vec::new();
        self.input.by_ref().take(LINE_LIMIT).read_until(b'\n', &mut line)?;
        let name = line.strip_prefix(MAGIC.as_bytes()).and_then(|rest| rest.strip_suffix(b"\n"));
        let is_name =
            |name: &&[u8]| !name.is_empty() && name.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
        let name = name.filter(is_name).ok_or_else(damaged)?;
        self.name = String::from_utf8_lossy(name).into_owned();
        self.first = self.input.stream_position()?;
        self.rewind();
        Ok(())
    }

    fn rewind(&mut self) {
        (self.next, self.text, self.count) = (self.first, 0, 0);
    }

    /// The next message, or nothing at the end.
    pub fn read_next(&mut self) -> Result<Option<Message>, Failure> {
        self.try_next().map_err(|error| self.unreadable(&error))
    }

    fn try_next(&mut self) -> io::Result<Option<Message>> {
        self.go_to(self.next)?;
        if self.count > 0 {
            end_of_contents(&mut self.input)?;
        }
        match Message::decode(&mut self.input)? {
            Ok(message) => {
                self.count = self.count.saturating_add(1);
                self.text = self.input.stream_position()?;
                self.next = self.text.saturating_add(message.size);
                Ok(Some(message))
            }
            Err(count) if count == self.count && self.input.fill_buf()?.is_empty() => Ok(None),
            Err(_) => Err(damaged()),
        }
    }

    /// The text of the message that was read last, from its beginning.
    pub fn text(&mut self) -> Result<impl Read, Failure> {
        self.go_to(self.text).map_err(|error| self.unreadable(&error))?;
        Ok(self.input.by_ref().take(self.next.saturating_sub(self.text)))
    }

    /// So much of the beginning of that text.
    pub fn beginning(&mut self, length: u64) -> Result<Vec<u8>, Failure> {
        let mut beginning = Vec::new();
        let read = self.text()?.take(length).read_to_end(&mut beginning);
        read.map_err(|error| self.unreadable(&error))?;
        Ok(beginning)
    }

    /// Keeps what is in the buffer if that is enough.
    fn go_to(&mut self, offset: u64) -> io::Result<()> {
        let present = self.input.stream_position()?;
        match i64::try_from(i128::from(offset).saturating_sub(i128::from(present))) {
            Ok(distance) => self.input.seek_relative(distance),
            Err(_) => self.input.seek(SeekFrom::Start(offset)).map(drop),
        }
    }

    /// Damage does not go away by itself.
    fn unreadable(&self, error: &io::Error) -> Failure {
        let path = self.path.display();
        if error.kind() == io::ErrorKind::InvalidData {
            return Failure::permanent(format!("unable to read {path}: it is damaged, or no snapshot"));
        }
        Failure::temporary(format!("unable to read {path}")).because(error)
    }
}
