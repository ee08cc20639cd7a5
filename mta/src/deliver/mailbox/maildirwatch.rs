//! `maildirwatch` shows the new mail in a maildir, again and again.
//!
//! Reads    MAILDIR; the messages in `new`.
//! Writes   fd 1: a summary twice a minute, for a terminal that understands what a VT100 does.
//! Runs as  the user.   Trusts  nothing in a message: only printable characters reach the terminal.
//! Exits    111 the maildir cannot be read, or nobody reads the summary.
//! Manual   maildirwatch(1), maildir(5).

use super::maildir_listing::{self, Message};
use super::maildir2mbox;
use crate::message::header_field::{self, FieldName};
use crate::message::printable;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;
use unix::clock::Now;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::{descriptor, file};

/// Cursor to the top left corner, and everything cleared.
const CLEAR: &[u8] = b"\x1b[H\x1b[2J";
const PAUSE: Duration = Duration::from_secs(30);
/// A line ends before the last column: some terminals begin a new one there by themselves.
const WIDTH: usize = 79;
/// As much of a message is looked at.
const HEADER_LIMIT: usize = 64 * 1024;

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let environment = invocation.environment();
    let maildir = environment.get("MAILDIR").ok_or_else(|| Failure::temporary("MAILDIR not set"))?;
    maildir2mbox::enter(Path::new(OsStr::from_bytes(maildir)))?;
    let here = Path::new(".");
    loop {
        let now = Now::read().wall;
        maildir_listing::clean_tmp(here, now);
        let messages = maildir_listing::messages(here, &["new"], now)?;
        let shown = [CLEAR, &summary(&messages)].concat();
        descriptor::output()
            .write_all(&shown)
            .map_err(|error| Failure::temporary("unable to write").because(&error))?;
        std::thread::sleep(PAUSE);
    }
}

/// One or two lines for each message, the oldest first.
fn summary(messages: &[Message]) -> Vec<u8> {
    if messages.is_empty() {
        return b"No new mail.\n".to_vec();
    }
    messages.iter().filter_map(|message| read(&message.path).ok()).flat_map(|look| look.lines()).collect()
}

/// What is shown of a message.
#[derive(Debug, Default, PartialEq, Eq)]
struct Look {
    sender: Vec<u8>,
    recipient: Vec<u8>,
    subject: Vec<u8>,
}

/// A message that is gone, or that is no file, is left out.
fn read(path: &Path) -> io::Result<Look> {
    let message: File = file::open_read_no_follow(path)?;
    let header = header_field::read_header(&mut BufReader::new(message), HEADER_LIMIT)
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidData));
    // A message that begins with nothing we understand is a message all the same.
    Ok(Look::of(&header.map(|header| header.fields).unwrap_or_default()))
}

impl Look {
    /// The first field of each kind counts: those are qmail-local's.
    fn of(fields: &[Vec<u8>]) -> Look {
        let first = |name: FieldName| {
            let field = fields.iter().find(|field| FieldName::of(field) == name);
            field.map(|field| header_field::contents(field).trim_ascii().to_vec()).unwrap_or_default()
        };
        Look {
            sender: first(FieldName::ReturnPath),
            recipient: first(FieldName::DeliveredTo),
            subject: first(FieldName::Subject),
        }
    }

    fn lines(&self) -> Vec<u8> {
        let mut lines = line(&[b"From ", &self.sender, b" to ", &self.recipient]);
        if !self.subject.is_empty() {
            lines.extend(line(&[b"  ", &self.subject]));
        }
        lines
    }
}

fn line(parts: &[&[u8]]) -> Vec<u8> {
    let mut line = printable::with(b'?', &parts.concat());
    line.truncate(WIDTH);
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_shown_in_two_lines_that_fit_the_window_and_hold_nothing_but_text() {
        let fields = [
            b"Return-Path: <a@b>\n".to_vec(),
            b"Delivered-To: joe@x\n".to_vec(),
            b"Delivered-To: before@x\n".to_vec(),
            [b"Subject: \x1b[31mred\x07 \xe9\n ", "y".repeat(100).as_bytes(), b"\n"].concat(),
        ];
        let shown = String::from_utf8(Look::of(&fields).lines()).unwrap();
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[0], "From <a@b> to joe@x");
        assert!(lines[1].starts_with("  ?[31mred? ?? yyyy"), "{shown}");
        assert_eq!((lines.len(), lines[1].len()), (2, WIDTH));
    }

    #[test]
    fn without_messages_it_says_so() {
        assert_eq!(summary(&[]), b"No new mail.\n");
    }
}
