//! The mbox format, mbox(5): messages one after the other, each behind a line that begins with `From `.
//!
//! A line of a message that could be taken for such a line, or for one that was already changed, gets a `>`.
//! A blank line follows each message. Programs that write the file lock it with flock(2).

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;
use unix::{file, lock};

/// How long to wait for the lock.
const LOCK_LIMIT: Duration = Duration::from_secs(30);
const BUFFER: usize = 64 * 1024;

/// Why a message was not delivered to an mbox. All of it may pass.
#[derive(Debug)]
pub enum Trouble {
    /// The file cannot be opened.
    Open(io::Error),
    /// Somebody else had it locked all the time.
    Locked,
    /// The message cannot be read.
    Read(io::Error),
    /// The file cannot be locked, written or put on disk.
    Write(io::Error),
}

/// Adds a message to an mbox. `header` is what comes first: the `From ` line and the lines added to the header.
///
/// Something that is not a regular file, such as `/dev/null`, is written to and nothing else.
pub fn deliver(path: &Path, header: &[u8], message: &mut impl Read) -> Result<(), Trouble> {
    let mut mbox = file::open_append(path).map_err(Trouble::Open)?;
    if !mbox.metadata().map_err(Trouble::Open)?.is_file() {
        return write(&mut mbox, header, message);
    }
    lock::exclusive_within(&mbox, LOCK_LIMIT).map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => Trouble::Locked,
        _ => Trouble::Write(error),
    })?;
    let end = mbox.seek(SeekFrom::End(0)).map_err(Trouble::Write)?;
    let result = append(&mut mbox, path, end, header, message);
    if result.is_err() {
        // What is there of the message would join the next one. There is nobody to tell if this fails too.
        let _ = mbox.set_len(end);
    }
    result
}

fn append(
    mbox: &mut File,
    path: &Path,
    end: u64,
    header: &[u8],
    message: &mut impl Read,
) -> Result<(), Trouble> {
    write(mbox, header, message)?;
    mbox.sync_all().map_err(Trouble::Write)?;
    // The first message needs the file's name on disk too. Who created the file does not matter: another
    // delivery may have done it, and still be waiting for the lock.
    if end == 0 { sync_name(mbox, path).map_err(Trouble::Write) } else { Ok(()) }
}

/// A path that is a symlink names a file in another directory; that one holds the name.
fn sync_name(mbox: &File, path: &Path) -> io::Result<()> {
    let path = std::fs::canonicalize(path)?;
    file::sync_name(mbox, path.parent().unwrap_or(Path::new("/")))
}

fn write(mbox: &mut File, header: &[u8], message: &mut impl Read) -> Result<(), Trouble> {
    let mut quoter = Quoter::default();
    let mut input = vec![0; BUFFER];
    let mut output = header.to_vec();
    loop {
        let length = read(message, &mut input).map_err(Trouble::Read)?;
        if length == 0 {
            break;
        }
        quoter.quote(input.get(..length).unwrap_or_default(), &mut output);
        mbox.write_all(&output).map_err(Trouble::Write)?;
        output.clear();
    }
    quoter.finish(&mut output);
    mbox.write_all(&output).map_err(Trouble::Write)
}

fn read(message: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match message.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Puts a `>` before each line that begins with any number of `>` and `From `.
///
/// It holds back no more than an unfinished `From `, so lines may be as long as they like: whether the new
/// `>` stands before or behind the others makes no difference, and behind them it is known to be needed.
#[derive(Default)]
struct Quoter {
    place: Place,
}

const FROM: &[u8] = b"From ";

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    /// Nothing of the line has come.
    #[default]
    Start,
    /// After one or more `>` at the start of a line.
    Marks,
    /// So many bytes of `From ` have come and are held back.
    From(usize),
    /// The rest of the line is copied.
    Rest,
}

impl Quoter {
    fn quote(&mut self, input: &[u8], output: &mut Vec<u8>) {
        for byte in input {
            self.place = self.step(*byte, output);
        }
    }

    fn step(&self, byte: u8, output: &mut Vec<u8>) -> Place {
        let matched = match self.place {
            Place::Start | Place::Marks if byte == b'>' => {
                output.push(byte);
                return Place::Marks;
            }
            Place::Start | Place::Marks => 0,
            Place::From(matched) => matched,
            Place::Rest => FROM.len(),
        };
        if FROM.get(matched) == Some(&byte) {
            let matched = matched.saturating_add(1);
            if matched < FROM.len() {
                return Place::From(matched);
            }
            output.extend_from_slice(b">From ");
            return Place::Rest;
        }
        self.release(output);
        output.push(byte);
        if byte == b'\n' { Place::Start } else { Place::Rest }
    }

    /// What was held back turned out to be something else.
    fn release(&self, output: &mut Vec<u8>) {
        if let Place::From(matched) = self.place {
            output.extend_from_slice(FROM.get(..matched).unwrap_or_default());
        }
    }

    /// Ends an unfinished line, and adds the blank line between messages.
    fn finish(self, output: &mut Vec<u8>) {
        self.release(output);
        if self.place != Place::Start {
            output.push(b'\n');
        }
        output.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn quoted(message: &[u8], cut: usize) -> Vec<u8> {
        let mut quoter = Quoter::default();
        let mut output = Vec::new();
        let (first, second) = message.split_at(cut.min(message.len()));
        quoter.quote(first, &mut output);
        quoter.quote(second, &mut output);
        quoter.finish(&mut output);
        output
    }

    /// The rule of mbox(5), line by line.
    fn model(message: &[u8]) -> Vec<u8> {
        let mut output = Vec::new();
        for line in message.split_inclusive(|byte| *byte == b'\n') {
            let marks = line.iter().take_while(|byte| **byte == b'>').count();
            if line[marks..].starts_with(b"From ") {
                output.push(b'>');
            }
            output.extend_from_slice(line);
            if !line.ends_with(b"\n") {
                output.push(b'\n');
            }
        }
        output.push(b'\n');
        output
    }

    proptest! {
        #[test]
        fn from_lines_are_quoted_as_mbox_5_says(
            words in proptest::collection::vec("(>|From|From |F|Fro|From x|\n|x| |\r)", 0..30),
            cut in 0..60_usize,
        ) {
            let message = words.concat().into_bytes();
            prop_assert_eq!(quoted(&message, cut), model(&message));
        }
    }

    struct Broken(usize);

    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(io::ErrorKind::Other.into());
            }
            self.0 -= 1;
            buffer.fill(b'x');
            Ok(buffer.len())
        }
    }

    #[test]
    fn a_message_that_cannot_be_read_to_its_end_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mbox");
        deliver(&path, b"From a\n", &mut &b"one\n"[..]).unwrap();
        let before = std::fs::read(&path).unwrap();
        assert!(matches!(deliver(&path, b"From b\n", &mut Broken(3)), Err(Trouble::Read(_))));
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert_eq!(before, b"From a\none\n\n");
    }

    #[test]
    fn a_device_is_written_to_and_neither_locked_nor_cut() {
        deliver(Path::new("/dev/null"), b"From a\n", &mut &b"one\n"[..]).unwrap();
        let full = deliver(Path::new("/dev/full"), b"From a\n", &mut &b"one\n"[..]);
        assert!(matches!(full, Err(Trouble::Write(_))));
    }

    #[test]
    fn a_fifo_without_reader_cannot_be_opened() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fifo");
        unix::fifo::make(&path).unwrap();
        let Err(Trouble::Open(error)) = deliver(&path, b"", &mut &b""[..]) else { panic!("not refused") };
        assert_eq!(unix::failure::describe(&error), "device not configured");
    }
}
