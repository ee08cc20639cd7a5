//! A message that waits in a maildir: two lines that qmail-local wrote, then the message as it was.
//!
//! ```text
//! Return-Path: <SENDER>
//! Delivered-To: PREFIXRECIPIENT
//! …
//! ```
//!
//! The sender is written as in a header, quoted where it has to be; the recipient is written as it is. The prefix is what
//! leads an address to the alias with the maildir; it is taken off.

use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use unix::file;

/// No line with an address is as long as this.
const LONGEST_LINE: u64 = 10_000;

/// For whom a message is, and who sent it: addresses without quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The sender; empty for a bounce.
    pub sender: Vec<u8>,
    /// The recipient, without the prefix.
    pub recipient: Vec<u8>,
}

impl Envelope {
    /// Reads both lines, each with its line end. `None` if they are not these, or the recipient has another prefix.
    fn parse(first: &[u8], second: &[u8], prefix: &[u8]) -> Option<Envelope> {
        let sender = first.strip_prefix(b"Return-Path: <")?.strip_suffix(b">\n")?;
        let recipient = second.strip_prefix(b"Delivered-To: ")?.strip_suffix(b"\n")?.strip_prefix(prefix)?;
        // What no envelope can hold, and what would end a command.
        let is_clean = |address: &[u8]| !address.iter().any(|byte| matches!(byte, 0 | b'\r'));
        let envelope = Envelope { sender: unquoted(sender), recipient: recipient.to_vec() };
        (is_clean(&envelope.sender) && is_clean(&envelope.recipient)).then_some(envelope)
    }
}

/// An address without the quotes and backslashes of its local part. What is not quoted throughout is left as it is.
fn unquoted(address: &[u8]) -> Vec<u8> {
    let Some(quoted) = address.strip_prefix(b"\"") else { return address.to_vec() };
    let (mut local, mut bytes) = (Vec::new(), quoted.iter());
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => local.extend(bytes.next()),
            b'"' => {
                let rest = bytes.as_slice();
                let is_end = rest.is_empty() || rest.starts_with(b"@");
                return if is_end { [local.as_slice(), rest].concat() } else { address.to_vec() };
            }
            _ => local.push(*byte),
        }
    }
    address.to_vec()
}

/// A message, open at the byte after its two lines.
pub struct Message {
    /// From whom, to whom.
    pub envelope: Envelope,
    file: BufReader<File>,
    body_length: u64,
}

impl Message {
    /// Opens a message. `None` if it has not the form of one, or is for another prefix.
    ///
    /// # Errors
    /// The file cannot be opened or read.
    pub fn open(path: &Path, prefix: &[u8]) -> io::Result<Option<Message>> {
        let file = file::open_read_no_follow(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(None);
        }
        Message::read(BufReader::new(file), &metadata, prefix)
    }

    fn read(mut file: BufReader<File>, metadata: &Metadata, prefix: &[u8]) -> io::Result<Option<Message>> {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for line in [&mut first, &mut second] {
            file.by_ref().take(LONGEST_LINE).read_until(b'\n', line)?;
        }
        let Some(envelope) = Envelope::parse(&first, &second, prefix) else { return Ok(None) };
        let lines = u64::try_from(first.len().saturating_add(second.len())).unwrap_or(u64::MAX);
        Ok(Some(Message { envelope, file, body_length: metadata.len().saturating_sub(lines) }))
    }

    /// How many bytes follow the two lines, as the file was when it was opened.
    pub fn body_length(&self) -> u64 {
        self.body_length
    }

    /// Whether the last line has no end. To be asked before anything is read.
    pub fn ends_within_a_line(&mut self) -> io::Result<bool> {
        if self.body_length == 0 {
            return Ok(false);
        }
        let start = self.file.stream_position()?;
        let mut last = [0];
        self.file.seek(SeekFrom::End(-1))?;
        self.file.read_exact(&mut last)?;
        self.file.seek(SeekFrom::Start(start))?;
        Ok(last != *b"\n")
    }
}

impl Read for Message {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::quote;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    fn envelope(text: &str, prefix: &str) -> Option<(String, String)> {
        let (first, second) = text.split_at(text.find('\n').map_or(text.len(), |at| at + 1));
        let found = Envelope::parse(first.as_bytes(), second.as_bytes(), prefix.as_bytes())?;
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Some((text(found.sender), text(found.recipient)))
    }

    #[test]
    fn both_lines_have_exactly_the_form_that_qmail_local_writes() {
        let pair = |sender: &str, recipient: &str| Some((sender.to_owned(), recipient.to_owned()));
        let good = "Return-Path: <a@b>\nDelivered-To: alias-ppp-joe@c\n";
        assert_eq!(envelope(good, "alias-ppp-"), pair("a@b", "joe@c"));
        assert_eq!(envelope(good, ""), pair("a@b", "alias-ppp-joe@c"));
        assert_eq!(envelope(good, "alias-slip-"), None);
        assert_eq!(envelope("Return-Path: <>\nDelivered-To: p-\n", "p-"), pair("", ""));
        for wrong in [
            "",
            "Return-Path: <a@b>\n",
            "Return-Path: <a@b>\nDelivered-To: joe@c",
            "Return-Path: a@b\nDelivered-To: joe@c\n",
            "return-path: <a@b>\nDelivered-To: joe@c\n",
            "Return-Path: <a@b> \nDelivered-To: joe@c\n",
            "Delivered-To: joe@c\nReturn-Path: <a@b>\n",
            "Return-Path: <a@b>\nDelivered-To: joe\0@c\n",
            "Return-Path: <a\r@b>\nDelivered-To: joe@c\n",
        ] {
            assert_eq!(envelope(wrong, ""), None, "{wrong:?}");
        }
    }

    #[test]
    fn quotes_of_the_sender_are_those_of_the_header() {
        for (written, meant) in [
            ("\"a b\"@c", "a b@c"),
            ("\"a\\\"\\\\b\"@c", "a\"\\b@c"),
            ("\"\"@c", "@c"),
            ("\"a\"b\"@c", "\"a\"b\"@c"),
            ("\"a", "\"a"),
            ("a\"b@c", "a\"b@c"),
        ] {
            assert_eq!(unquoted(written.as_bytes()), meant.as_bytes(), "{written}");
        }
    }

    #[test]
    fn what_follows_the_lines_is_read_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("m");
        for (body, is_partial) in [("", false), ("x\n", false), ("\n\ny", true), ("x\r", true)] {
            std::fs::write(&path, format!("Return-Path: <>\nDelivered-To: joe@c\n{body}")).unwrap();
            let mut message = Message::open(&path, b"").unwrap().unwrap();
            assert_eq!(message.body_length(), body.len() as u64);
            assert_eq!(message.ends_within_a_line().unwrap(), is_partial);
            let mut text = String::new();
            message.read_to_string(&mut text).unwrap();
            assert_eq!(text, body);
        }
        assert!(Message::open(&directory.path().join("none"), b"").is_err());
        assert!(Message::open(directory.path(), b"").unwrap().is_none());
        std::os::unix::fs::symlink(&path, directory.path().join("link")).unwrap();
        assert!(Message::open(&directory.path().join("link"), b"").is_err());
    }

    proptest! {
        #[test]
        fn what_was_quoted_for_a_header_is_unquoted(local in any::<Vec<u8>>(), domain in "[a-z.]{0,9}") {
            let address = [local.as_slice(), b"@", domain.as_bytes()].concat();
            prop_assert_eq!(unquoted(&quote::address(&address)), address);
        }
    }
}
