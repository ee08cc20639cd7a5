//! Bytes that are kept until all of them are there: in memory if they are few, else in a file without a name.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use unix::file;

/// Bytes that are kept in memory.
const IN_MEMORY: usize = 1024 * 1024;
const BUFFER: usize = 64 * 1024;
/// Not TMPDIR: no variable of the caller's says where mail is written.
const DIRECTORY: &str = "/tmp";

/// What was put in so far.
#[derive(Debug, Default)]
pub struct Spool {
    memory: Vec<u8>,
    file: Option<File>,
    length: u64,
}

impl Spool {
    /// Adds bytes.
    ///
    /// # Errors
    /// There is no room for them. The spool is of no use any more.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.length = self.length.saturating_add(bytes.len() as u64);
        self.memory.extend_from_slice(bytes);
        if self.memory.len() > IN_MEMORY {
            let file = match &mut self.file {
                Some(file) => file,
                empty => empty.insert(file::create_unnamed(Path::new(DIRECTORY))?),
            };
            file.write_all(&self.memory)?;
            self.memory.clear();
        }
        Ok(())
    }

    /// How many bytes there are.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Hands out all bytes, in order.
    ///
    /// # Errors
    /// Those of `take`; or the file does not give back what was put in.
    pub fn for_each(mut self, take: &mut impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            file.rewind()?;
            let mut left = self.length.saturating_sub(self.memory.len() as u64);
            let mut buffer = vec![0; BUFFER];
            while left > 0 {
                let length = file.read(&mut buffer)?;
                if length == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                left = left.saturating_sub(length as u64);
                take(buffer.get(..length).unwrap_or_default())?;
            }
        }
        take(&self.memory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// M1: many bytes come back as they went in, and are not kept in memory.
    #[test]
    fn m1_what_is_put_in_comes_out_and_little_of_it_is_in_memory() {
        for pieces in [0, 1, 100, 5000] {
            let mut spool = Spool::default();
            let mut expected = Vec::new();
            for piece in 0..pieces {
                let bytes = format!("{piece:0700}").into_bytes();
                spool.push(&bytes).unwrap();
                expected.extend(bytes);
            }
            assert_eq!(spool.length(), expected.len() as u64);
            assert!(spool.memory.capacity() <= 3 * IN_MEMORY);
            let mut found = Vec::new();
            spool.for_each(&mut |bytes| found.write_all(bytes)).unwrap();
            assert!(found == expected);
        }
    }
}
