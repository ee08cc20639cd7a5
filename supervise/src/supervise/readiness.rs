//! Readiness: a line that the program writes, on a descriptor that it asked for, once it can do its work.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use unix::descriptor;
use unix::stamp::Stamp;

/// Whether the program has said that it is ready.
#[derive(Debug, Default)]
pub struct Readiness {
    /// What it writes to, as long as there is something to wait for.
    reader: Option<File>,
    since: Option<Stamp>,
}

impl Readiness {
    /// That of a program which is about to be started; with what it writes to.
    pub fn expected() -> io::Result<(Readiness, OwnedFd)> {
        let (reader, writer) = descriptor::pipe()?;
        descriptor::set_nonblocking(&reader, true)?;
        Ok((Readiness { reader: Some(File::from(reader)), since: None }, writer))
    }

    /// When it said so.
    pub fn since(&self) -> Option<Stamp> {
        self.since
    }

    /// What becomes readable when it says so.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.reader.as_ref().map(AsFd::as_fd)
    }

    /// Looks whether it has. The first newline counts; what comes before it is of no interest, and after it or
    /// after the end of the pipe there is nothing to read.
    pub fn look(&mut self) {
        let Some(reader) = &mut self.reader else { return };
        let mut buffer = [0; 256];
        match reader.read(&mut buffer) {
            Ok(length) if length > 0 => {
                if buffer.iter().take(length).any(|byte| *byte == b'\n') {
                    *self = Readiness { reader: None, since: Some(Stamp::now()) };
                }
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Ok(_) | Err(_) => self.reader = None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn the_first_newline_counts() {
        let (mut readiness, writer) = Readiness::expected().unwrap();
        let mut writer = File::from(writer);
        readiness.look();
        assert!(readiness.descriptor().is_some());
        writer.write_all(b"not").unwrap();
        readiness.look();
        assert_eq!(readiness.since(), None);
        writer.write_all(b" yet\nmore").unwrap();
        readiness.look();
        assert!(readiness.since().is_some());
        assert!(readiness.descriptor().is_none());
    }

    #[test]
    fn a_program_that_closes_the_descriptor_is_not_waited_for() {
        let (mut readiness, writer) = Readiness::expected().unwrap();
        drop(writer);
        readiness.look();
        assert_eq!(readiness.since(), None);
        assert!(readiness.descriptor().is_none());
    }
}
