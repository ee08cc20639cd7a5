//! One message of a queue, whole, although qmail-send may be working on it.
//!
//! Nobody is made to wait: the order in which the files are read is enough. While the message file is open its inode, and
//! with it the number, cannot become another message's; so the message can only go on, from S4 to S5 to its end. Of
//! the files of S5, qmail-send writes the record of a failure before it marks the recipient done, and removes it when both channels
//! have ended. So the record that is read between two equal readings of the channels has every recipient who has failed; one
//! who is failing at that moment is tried once more.

use super::message::{Message, Preprocessed, State};
use crate::queue::layout::{HELD, Kind, MessageNumber};
use crate::send::channel::{ByChannel, Channel};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use unix::failure;
use unix::file::{self, read_if_present};

/// What there is of a message.
#[derive(Debug)]
pub enum Look {
    /// All of it: the envelope, and the text, which nobody changes any more.
    Whole(Message, File),
    /// Nothing, or not any more; or it is not accepted yet.
    Nothing,
    /// An envelope without a text.
    Torn,
}

/// Looks at a message. The queue is the working directory.
pub fn look(number: MessageNumber) -> io::Result<Look> {
    let text = match file::open_read(&Kind::Mess.path(number)) {
        Ok(text) => text,
        Err(error) if failure::is_absent(&error) => {
            let is_torn = Kind::Info.is_there(number)? || Kind::Todo.is_there(number)?;
            return Ok(if is_torn { Look::Torn } else { Look::Nothing });
        }
        Err(error) => return Err(error),
    };
    let Some(state) = state(number)? else { return Ok(Look::Nothing) };
    let size = text.metadata()?.len();
    Ok(Look::Whole(Message { number, state, size }, text))
}

fn state(number: MessageNumber) -> io::Result<Option<State>> {
    // A message that becomes preprocessed between the two questions is seen the second time.
    for _ in 0..2 {
        let has_info = Kind::Info.is_there(number)?;
        if let Some(todo) = read_if_present(&Kind::Todo.path(number))? {
            return Ok(Some(State::Queued(todo)));
        }
        if has_info {
            return Ok(preprocessed(number)?.map(State::Preprocessed));
        }
    }
    Ok(None)
}

/// The files of a message in S5; nothing if it is finished meanwhile.
fn preprocessed(number: MessageNumber) -> io::Result<Option<Preprocessed>> {
    let mut info_file = match file::open_read(&Kind::Info.path(number)) {
        Err(error) if failure::is_absent(&error) => return Ok(None),
        opened => opened?,
    };
    let mut info = Vec::new();
    info_file.read_to_end(&mut info)?;
    let metadata = info_file.metadata()?;
    // Each turn but the last sees another recipient done, so there is a last one.
    let mut channels = read_channels(number)?;
    let bounce = loop {
        let bounce = bounce(number)?;
        let before = std::mem::replace(&mut channels, read_channels(number)?);
        if before == channels {
            break bounce;
        }
    };
    // Its last file is the first to go.
    if !Kind::Info.is_there(number)? {
        return Ok(None);
    }
    let birth = u64::try_from(metadata.mtime()).unwrap_or(0);
    Ok(Some(Preprocessed { birth, held: metadata.mode() & HELD != 0, info, channels, bounce }))
}

fn read_channels(number: MessageNumber) -> io::Result<ByChannel<Option<Vec<u8>>>> {
    let recipients = |channel: Channel| read_if_present(&channel.kind().path(number));
    Ok(ByChannel { local: recipients(Channel::Local)?, remote: recipients(Channel::Remote)? })
}

/// The record of failures. One that is being written, and does not end with its empty line yet, is read again.
fn bounce(number: MessageNumber) -> io::Result<Option<Vec<u8>>> {
    let path = Kind::Bounce.path(number);
    match read_if_present(&path)? {
        Some(bounce) if !bounce.ends_with(b"\n\n") => read_if_present(&path),
        found => Ok(found),
    }
}
