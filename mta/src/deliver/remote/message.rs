//! The message on descriptor 0: measured if that is possible, then read once.

use super::body::Measure;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsFd;

/// The message.
pub struct Message {
    file: File,
}

impl Message {
    /// The message on descriptor 0.
    pub fn on_standard_input() -> io::Result<Message> {
        let descriptor = unix::descriptor::input().as_fd().try_clone_to_owned()?;
        Ok(Message { file: File::from(descriptor) })
    }

    /// Reads the next piece into the buffer; 0 at the end.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.file.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }

    /// The message's measure; nothing if it comes from a pipe, which can be read only once.
    ///
    /// # Errors
    /// The message could not be read.
    pub fn measure(&mut self) -> io::Result<Option<Measure>> {
        let Ok(start) = self.file.stream_position() else { return Ok(None) };
        let mut measure = Measure::default();
        let mut buffer = [0; PIECE];
        loop {
            let length = self.read(&mut buffer)?;
            if length == 0 {
                break;
            }
            measure.add(buffer.get(..length).unwrap_or_default());
        }
        self.file.seek(SeekFrom::Start(start))?;
        Ok(Some(measure))
    }
}

/// How much is read at once.
pub const PIECE: usize = 16 * 1024;
