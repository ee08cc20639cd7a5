//! The mbox format, mbox(5): messages one after the other, each behind a line that begins with `From `.
//!
//! A line of a message that could be taken for such a line, or for one that was already changed, gets a `>`.
//! A blank line follows each message. Programs that write the file lock it with flock(2).

use super::mbox_end;
use crate::message::date;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;
use unix::{file, lock};

/// How long to wait for the lock.
const LOCK_LIMIT: Duration = Duration::from_secs(30);
/// How often the file may be replaced by another while we wait for its lock.
const REPLACEMENTS: u32 = 100;
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
    let lock = |mbox: &File| lock::exclusive_within(mbox, LOCK_LIMIT);
    let mut mbox = open_locked(path, file::open_append, lock)?;
    if !mbox.metadata().map_err(Trouble::Open)?.is_file() {
        return write(&mut mbox, header, message);
    }
    let end = mend(&mut mbox, path).map_err(Trouble::Write)?;
    let result = append(&mut mbox, path, end, header, message);
    if result.is_err() {
        // What is there of the message would join the next one. There is nobody to tell if this fails too.
        let _ = mbox.set_len(end);
    }
    result
}

/// Opens an mbox and locks it. Something that is not a regular file is opened and not locked.
///
/// While one program waits for the lock, another may put a new file in place of the one that is locked, as
/// maildir2mbox does. What was written to the old one then would be lost, so the new one is opened.
pub fn open_locked(
    path: &Path,
    open: impl Fn(&Path) -> io::Result<File>,
    lock: impl Fn(&File) -> io::Result<()>,
) -> Result<File, Trouble> {
    for _ in 0..REPLACEMENTS {
        let mbox = open(path).map_err(Trouble::Open)?;
        let opened = mbox.metadata().map_err(Trouble::Open)?;
        if !opened.is_file() {
            return Ok(mbox);
        }
        lock(&mbox).map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => Trouble::Locked,
            _ => Trouble::Write(error),
        })?;
        match fs::metadata(path) {
            Ok(named) if (named.dev(), named.ino()) == (opened.dev(), opened.ino()) => return Ok(mbox),
            Ok(_) => {}
            Err(error) if unix::failure::is_absent(&error) => {}
            Err(error) => return Err(Trouble::Open(error)),
        }
    }
    Err(Trouble::Locked)
}

/// The line before a message: from whom and when it came, in Unix seconds. Readers find the date behind the second
/// word, so the sender is made one.
pub fn from_line(sender: &[u8], seconds: u64) -> Vec<u8> {
    let sender = if sender.is_empty() { b"MAILER-DAEMON" } else { sender };
    let as_one_word =
        sender.iter().map(|byte| if matches!(byte, b' ' | b'\t' | b'\n') { b'-' } else { *byte }).collect();
    [b"From ".to_vec(), as_one_word, format!(" {}\n", date::mbox(seconds)).into_bytes()].concat()
}

/// Gives an mbox that a crash has left with an unfinished end one that a message can follow; its length then.
///
/// If it may be written but not read, its end is not looked at.
fn mend(mbox: &mut File, path: &Path) -> io::Result<u64> {
    let mut reader = match file::open_read(path) {
        Ok(reader) => reader,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(mbox.metadata()?.len()),
        Err(error) => return Err(error),
    };
    let mbox_end::End { length, separator } = mbox_end::find(&mut reader)?;
    if length < mbox.metadata()?.len() {
        mbox.set_len(length)?;
    }
    mbox.write_all(separator)?;
    Ok(length.saturating_add(separator.len() as u64))
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
pub(super) fn sync_name(mbox: &File, path: &Path) -> io::Result<()> {
    let path = std::fs::canonicalize(path)?;
    file::sync_name(mbox, path.parent().unwrap_or(Path::new("/")))
}

/// Adds a message, whose file is open at its end, and the blank line after it.
pub(super) fn write(mbox: &mut File, header: &[u8], message: &mut impl Read) -> Result<(), Trouble> {
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

    #[test]
    fn a_message_follows_what_a_power_cut_left_on_a_line_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mbox");
        for left in [&b"From a\none\n\n\0\0\0"[..], b"From a\none\n", b"From a\none"] {
            fs::write(&path, left).unwrap();
            deliver(&path, b"From b\n", &mut &b"two\n"[..]).unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"From a\none\n\nFrom b\ntwo\n\n");
        }
    }

    #[test]
    fn a_piece_that_a_crash_has_left_does_not_swallow_the_next_message() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mbox");
        fs::write(&path, "From a\nhal").unwrap();
        deliver(&path, b"From b\n", &mut &b"two\n"[..]).unwrap();
        deliver(&path, b"From c\n", &mut &b"three\n"[..]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"From a\nhal\n\nFrom b\ntwo\n\nFrom c\nthree\n\n");
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
    fn a_message_goes_into_the_file_that_took_the_place_of_the_locked_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mbox");
        deliver(&path, b"From a\n", &mut &b"one\n"[..]).unwrap();
        let holder = file::open_append(&path).unwrap();
        lock::exclusive(&holder).unwrap();
        let delivery = std::thread::spawn({
            let path = path.clone();
            move || deliver(&path, b"From b\n", &mut &b"two\n"[..])
        });
        // Long enough that it waits for the lock, or not: it must come out right either way.
        std::thread::sleep(Duration::from_millis(100));
        let other = directory.path().join("other");
        fs::copy(&path, &other).unwrap();
        fs::rename(&other, &path).unwrap();
        drop(holder);
        delivery.join().unwrap().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"From a\none\n\nFrom b\ntwo\n\n");
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
