//! The maildir format, maildir(5): a directory with a file for each message, and no locks.
//!
//! A message is written under a unique name in `tmp`, put on disk, and then given a name in `new`, where
//! readers look. Whatever is in `new` is complete.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use unix::stamp::Stamp;
use unix::{failure, file, host, process};

/// Readers remove files in `tmp` that are older than a day and a half, so a delivery ends before that.
const TIME_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);
const BUFFER: usize = 64 * 1024;
/// How many names are tried. A second one is needed only if a clock was set back.
const ATTEMPTS: u32 = 3;

/// Why a message was not delivered to a maildir. All of it may pass.
#[derive(Debug)]
pub enum Trouble {
    /// The directory is not there or cannot be entered.
    Unreachable,
    /// It took longer than a day.
    Timeout,
    /// The message cannot be read.
    Read(io::Error),
    /// The message cannot be written, put on disk or given its name.
    Write(io::Error),
}

/// Puts a message into a maildir. `header` is what is put before it: the lines added to its header.
pub fn deliver(maildir: &Path, header: &[u8], message: &mut impl Read) -> Result<(), Trouble> {
    enter(maildir)?;
    let mut draft = Draft::create(maildir).map_err(Trouble::Write)?;
    draft.fill(header, message)?;
    draft.publish(maildir).map_err(Trouble::Write)
}

/// Tells a maildir that is missing from one that has trouble for the moment.
fn enter(maildir: &Path) -> Result<(), Trouble> {
    match fs::metadata(maildir.join(".")) {
        Ok(_) => Ok(()),
        Err(error) if failure::is_temporary(&error) => Err(Trouble::Write(error)),
        Err(_) => Err(Trouble::Unreachable),
    }
}

/// A message in `tmp`. Its name there goes when the delivery ends, either way.
struct Draft {
    name: OsString,
    path: PathBuf,
    file: File,
}

impl Draft {
    fn create(maildir: &Path) -> io::Result<Draft> {
        let host = host_part(&host::name()?);
        let mut attempt = 1;
        loop {
            let name = OsString::from_vec(unique_name(Stamp::now(), &host));
            let path = maildir.join("tmp").join(&name);
            match file::create_new(&path, 0o600) {
                Ok(file) => return Ok(Draft { name, path, file }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < ATTEMPTS => {
                    attempt += 1
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes the message and puts it on disk. After a crash here the file in `tmp` is nobody's.
    fn fill(&mut self, header: &[u8], message: &mut impl Read) -> Result<(), Trouble> {
        let start = Instant::now();
        let mut buffer = vec![0; BUFFER];
        self.file.write_all(header).map_err(Trouble::Write)?;
        loop {
            let length = match message.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Trouble::Read(error)),
            };
            self.file.write_all(buffer.get(..length).unwrap_or_default()).map_err(Trouble::Write)?;
            if start.elapsed() > TIME_LIMIT {
                return Err(Trouble::Timeout);
            }
        }
        self.file.sync_all().map_err(Trouble::Write)
    }

    /// Gives the message its name in `new`. A link replaces no file that is there, as a rename would.
    ///
    /// Until the directory is on disk the delivery has not happened: a crash before that makes it happen
    /// again, and the reader may see two copies. A directory that cannot be put on disk is a failed delivery,
    /// whose name is taken back.
    fn publish(self, maildir: &Path) -> io::Result<()> {
        let new = maildir.join("new");
        let published = new.join(&self.name);
        fs::hard_link(&self.path, &published)?;
        let synced = file::sync_name(&self.file, &new);
        if synced.is_err() {
            let _ = fs::remove_file(&published);
        }
        synced
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // A name that stays in `tmp` is removed by readers in a day and a half.
        let _ = fs::remove_file(&self.path);
    }
}

/// `TIME.M<microseconds>P<pid>.HOST`: no other delivery on this host has that process and that moment.
fn unique_name(now: Stamp, host: &[u8]) -> Vec<u8> {
    let start = format!("{}.M{:06}P{}.", now.seconds, now.microseconds(), process::own_pid());
    [start.as_bytes(), host].concat()
}

/// A host's name as part of a file's name, where `/` cannot stand and `:` begins a reader's flags.
fn host_part(host: &[u8]) -> Vec<u8> {
    let mut part = Vec::new();
    for byte in host {
        match byte {
            b'/' => part.extend_from_slice(b"\\057"),
            b':' => part.extend_from_slice(b"\\072"),
            _ => part.push(*byte),
        }
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maildir() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for name in ["tmp", "new", "cur"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        directory
    }

    fn files(maildir: &Path, name: &str) -> Vec<PathBuf> {
        fs::read_dir(maildir.join(name)).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn a_message_is_in_new_as_it_came_and_nothing_is_left_in_tmp() {
        let maildir = maildir();
        for _ in 0..50 {
            deliver(maildir.path(), b"A: b\n", &mut &b"From here\nno line end"[..]).unwrap();
        }
        let delivered = files(maildir.path(), "new");
        assert_eq!(delivered.len(), 50);
        assert!(delivered.iter().all(|path| fs::read(path).unwrap() == b"A: b\nFrom here\nno line end"));
        assert!(files(maildir.path(), "tmp").is_empty());
    }

    #[test]
    fn a_missing_maildir_and_one_without_tmp_are_told_apart() {
        let maildir = maildir();
        let missing = deliver(&maildir.path().join("no"), b"", &mut &b""[..]);
        assert!(matches!(missing, Err(Trouble::Unreachable)));
        fs::remove_dir(maildir.path().join("tmp")).unwrap();
        assert!(matches!(deliver(maildir.path(), b"", &mut &b""[..]), Err(Trouble::Write(_))));
    }

    #[test]
    fn a_message_that_gets_no_name_in_new_leaves_nothing_in_tmp() {
        let maildir = maildir();
        fs::remove_dir(maildir.path().join("new")).unwrap();
        assert!(matches!(deliver(maildir.path(), b"", &mut &b"x"[..]), Err(Trouble::Write(_))));
        assert!(files(maildir.path(), "tmp").is_empty());
    }

    #[test]
    fn a_host_with_slashes_and_colons_makes_a_name_without() {
        assert_eq!(host_part(b"a/b:c"), b"a\\057b\\072c");
        let name = unique_name(Stamp { seconds: 5, nanoseconds: 7_000 }, b"h");
        assert_eq!(name, format!("5.M000007P{}.h", process::own_pid()).into_bytes());
    }
}
