//! What became of the messages of a snapshot in this queue: `queuectl/restored.SNAPSHOT`.

use super::place::unable;
use crate::queue::layout::{Kind, MessageNumber, QUEUECTL};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use unix::failure::Failure;
use unix::{file, lock, number};

/// A message in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its number in this queue.
    pub number: MessageNumber,
    /// Whether it is preprocessed: then qmail-send has to be told of it.
    pub is_preprocessed: bool,
}

impl Placed {
    /// The file that makes it an accepted message.
    pub(super) fn last_kind(self) -> Kind {
        if self.is_preprocessed { Kind::Info } else { Kind::Todo }
    }
}

/// What became of a message. It stays so, whatever else becomes of the message later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// It was restored.
    Placed(Placed),
    /// It was in the queue already.
    Present,
    /// Nothing was left to do.
    Done,
}

/// A line for each message, with its number in the snapshot: `FROM todo N` or `FROM info N` if it was restored and is N in this
/// queue, `FROM present`, `FROM done`.
pub(super) struct Record {
    path: PathBuf,
    file: File,
    pub(super) entries: BTreeMap<MessageNumber, Noted>,
}

impl Record {
    /// Opens and locks it, so that one restores at a time, and reads what there is.
    pub(super) fn open(snapshot: &str) -> Result<Record, Failure> {
        let path = Path::new(QUEUECTL).join(format!("restored.{snapshot}"));
        let file = file::open_read_append(&path).map_err(unable("open", &path))?;
        lock::try_exclusive(&file).map_err(|error| {
            let what = format!("unable to lock {}: is it being restored already?", path.display());
            super::refused(&what, &error)
        })?;
        file::sync_directory(Path::new(QUEUECTL)).map_err(unable("sync", Path::new(QUEUECTL)))?;
        let mut record = Record { path, file, entries: BTreeMap::new() };
        record.read().map_err(unable("read", &record.path))?;
        Ok(record)
    }

    fn read(&mut self) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut input = BufReader::new(&self.file);
        let (mut line, mut whole) = (Vec::new(), 0_u64);
        while let length @ 1.. = input.read_until(b'\n', &mut line)? {
            // Half a line was not synced, and so its message has no name yet.
            let Some((from, noted)) = line.strip_suffix(b"\n").and_then(decode) else { break };
            self.entries.insert(from, noted);
            whole = whole.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
            line.clear();
        }
        self.file.set_len(whole)
    }

    /// Adds entries and waits until they are on disk.
    pub(super) fn note(&mut self, entries: &[(MessageNumber, Noted)]) -> Result<(), Failure> {
        let lines: String = entries.iter().map(|(from, noted)| encode(*from, *noted)).collect();
        let written = self.file.write_all(lines.as_bytes()).and_then(|()| self.file.sync_all());
        written.map_err(unable("write", &self.path))?;
        self.entries.extend(entries.iter().copied());
        Ok(())
    }
}

fn encode(from: MessageNumber, noted: Noted) -> String {
    match noted {
        Noted::Placed(placed) => format!("{from} {} {}\n", placed.last_kind().directory(), placed.number),
        Noted::Present => format!("{from} present\n"),
        Noted::Done => format!("{from} done\n"),
    }
}

fn decode(line: &[u8]) -> Option<(MessageNumber, Noted)> {
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let number = |word: &[u8]| number::whole(word).map(MessageNumber);
    let placed = |word: &[u8], is_preprocessed| {
        number(word).map(|number| Noted::Placed(Placed { number, is_preprocessed }))
    };
    let (from, noted) = match words.as_slice() {
        [from, b"info", to] => (from, placed(to, true)?),
        [from, b"todo", to] => (from, placed(to, false)?),
        [from, b"present"] => (from, Noted::Present),
        [from, b"done"] => (from, Noted::Done),
        _ => return None,
    };
    Some((number(from)?, noted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_read() {
        let placed = |is_preprocessed| Noted::Placed(Placed { number: MessageNumber(9), is_preprocessed });
        for noted in [placed(true), placed(false), Noted::Present, Noted::Done] {
            let entry = (MessageNumber(7), noted);
            let line = encode(entry.0, entry.1);
            assert_eq!(decode(line.trim_end().as_bytes()), Some(entry));
        }
        for line in ["", "7 info", "7 mess 9", "7 info 9 9", "7 info x", "7 done 9", "x done"] {
            assert_eq!(decode(line.as_bytes()), None, "{line}");
        }
    }
}
