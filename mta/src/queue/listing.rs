//! What is in the queue, as its files say: for qmail-qread and for the selections of qmail-queuectl.
//!
//! Everything here only looks. A message may be finished at any moment while somebody looks at it.

use super::envelope::{Record, records};
use super::layout::{HELD, Kind, MessageNumber};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use unix::failure;
use unix::file::read_if_present;
use unix::json::{object, quoted};

/// One preprocessed message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub message: MessageNumber,
    /// When it was queued, in seconds since 1970.
    pub birth: u64,
    /// Its size in bytes, with the header lines that the queue added.
    pub size: u64,
    /// Its envelope sender.
    pub sender: Vec<u8>,
    /// Whether a recipient has failed and the sender will be told.
    pub bouncing: bool,
    /// Whether it was told to wait.
    pub held: bool,
    /// All recipients, the local ones first.
    pub recipients: Vec<Recipient>,
}

/// A recipient of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// [`Kind::Local`] or [`Kind::Remote`].
    pub channel: Kind,
    /// His address.
    pub address: Vec<u8>,
    /// Whether nothing remains to be done for him.
    pub done: bool,
}

/// The numbers of the messages in one directory of info, in the directory's order.
pub fn numbers(directory: &std::path::Path) -> io::Result<Vec<MessageNumber>> {
    let entries = fs::read_dir(directory)?;
    let number = |entry: io::Result<fs::DirEntry>| {
        entry.map(|entry| MessageNumber::parse(entry.file_name().as_encoded_bytes())).transpose()
    };
    entries.filter_map(number).collect()
}

/// The message, or nothing if it is not there, or not any more. The queue is the working directory.
pub fn look(message: MessageNumber) -> io::Result<Option<Entry>> {
    let Some(info) = read_if_present(&Kind::Info.path(message))? else { return Ok(None) };
    let (Some(file), Some(mess)) = (stat(Kind::Info, message)?, stat(Kind::Mess, message)?) else {
        return Ok(None);
    };
    let sender = records(&info).find_map(|record| match record {
        Record::Sender(sender) => Some(sender.to_vec()),
        _ => None,
    });
    let mut recipients = Vec::new();
    for channel in [Kind::Local, Kind::Remote] {
        let file = read_if_present(&channel.path(message))?.unwrap_or_default();
        recipients.extend(records(&file).filter_map(|record| match record {
            Record::Recipient(address) => Some(Recipient { channel, address: address.to_vec(), done: false }),
            Record::Done(address) => Some(Recipient { channel, address: address.to_vec(), done: true }),
            _ => None,
        }));
    }
    Ok(Some(Entry {
        message,
        birth: u64::try_from(file.mtime()).unwrap_or(0),
        size: mess.len(),
        sender: sender.unwrap_or_default(),
        bouncing: stat(Kind::Bounce, message)?.is_some(),
        held: file.mode() & HELD != 0,
        recipients,
    }))
}

fn stat(kind: Kind, message: MessageNumber) -> io::Result<Option<fs::Metadata>> {
    match fs::metadata(kind.path(message)) {
        Ok(found) => Ok(Some(found)),
        Err(error) if failure::is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Entry {
    /// The message as one object, on one line. Times are seconds since 1970, sizes bytes.
    pub fn json(&self) -> String {
        let recipients: Vec<String> = self.recipients.iter().map(Recipient::json).collect();
        object(&[
            ("message", self.message.to_string()),
            ("birth", self.birth.to_string()),
            ("size", self.size.to_string()),
            ("sender", quoted(&self.sender)),
            ("bouncing", self.bouncing.to_string()),
            ("held", self.held.to_string()),
            ("recipients", format!("[{}]", recipients.join(","))),
        ])
    }
}

impl Recipient {
    fn json(&self) -> String {
        object(&[
            ("channel", quoted(self.channel.directory().as_bytes())),
            ("address", quoted(&self.address)),
            ("done", self.done.to_string()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_object() {
        let entry = Entry {
            message: MessageNumber(7),
            birth: 1000,
            size: 20,
            sender: b"a\"b@c".to_vec(),
            bouncing: false,
            held: true,
            recipients: vec![Recipient { channel: Kind::Remote, address: b"d@e".to_vec(), done: true }],
        };
        let expected = concat!(
            r#"{"message":7,"birth":1000,"size":20,"sender":"a\"b@c","bouncing":false,"held":true,"#,
            r#""recipients":[{"channel":"remote","address":"d@e","done":true}]}"#
        );
        assert_eq!(entry.json(), expected);
    }
}
