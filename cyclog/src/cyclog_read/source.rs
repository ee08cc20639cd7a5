//! The contents of one log file, also of one that a processor has compressed.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::AsFd;
use unix::descriptor;
use unix::environment::Environment;
use unix::exec::{Search, exec};
use unix::failure::describe;
use unix::process::{self, Ended, Pid};

/// Something to read a log file's lines from.
pub struct Source {
    file: File,
    decompressor: Option<Pid>,
}

impl Source {
    /// The lines of an open file. What looks compressed goes through the program that undoes it.
    pub fn new(mut file: File) -> io::Result<Source> {
        let mut start = Vec::new();
        (&mut file).take(4).read_to_end(&mut start)?;
        file.rewind()?;
        let known = COMPRESSIONS.iter().find(|(magic, _)| start.starts_with(magic));
        let Some((_, program)) = known else { return Ok(Source { file, decompressor: None }) };
        let (reader, writer) = descriptor::pipe()?;
        let words = [program.as_bytes().to_vec(), b"-dc".to_vec()];
        let environment = Environment::inherited();
        let child = process::fork(|| {
            let error = match descriptor::place_all(&[(file.as_fd(), 0), (writer.as_fd(), 1)]) {
                Ok(()) => exec(&words, &environment, Search::Path),
                Err(error) => error,
            };
            let text = [b"cyclog-read: warning: unable to run ", program.as_bytes()].concat();
            descriptor::write_error_line(&[&text, b": ", describe(&error).as_bytes()]);
            111
        })?;
        Ok(Source { file: File::from(reader), decompressor: Some(child) })
    }

    /// Whether more can come after the end.
    pub fn can_grow(&self) -> bool {
        self.decompressor.is_none()
    }

    /// Whether all of it could be read, now that its end has been seen.
    pub fn was_whole(self) -> io::Result<bool> {
        match self.decompressor {
            Some(child) => Ok(process::wait_for(child)? == Ended::Exited(0)),
            None => Ok(true),
        }
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

/// How compressed files begin, and what undoes it. No stamp begins like that.
const COMPRESSIONS: &[(&[u8], &str)] =
    &[(b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"\xfd7zX", "xz"), (b"BZh9", "bzip2")];
