//! The message: a file on descriptor 0, read from its beginning for each delivery.

use super::refusal::Refusal;
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::os::fd::AsFd;
use unix::{descriptor, inherited};

/// The message. Its position is shared with the programs that are run.
pub struct Message {
    file: File,
}

impl Message {
    /// The message that this process was given. No message is not an empty one.
    pub fn standard_input() -> Result<Message, Refusal> {
        let given = inherited::check(0).and_then(|()| descriptor::input().as_fd().try_clone_to_owned());
        let descriptor = given.map_err(Refusal::MessageUnreadable)?;
        Ok(Message { file: File::from(descriptor) })
    }

    /// Goes back to the beginning.
    pub fn rewound(&mut self) -> Result<&mut File, Refusal> {
        self.file.seek(SeekFrom::Start(0)).map_err(|_| Refusal::Rewind)?;
        Ok(&mut self.file)
    }
}
