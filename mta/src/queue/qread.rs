//! `qmail-qread` lists the messages in the queue and their recipients.
//!
//! Reads    control/conf-split, info, local, remote, bounce, mess.      Writes  fd 1: the list, and complaints among it.
//! Runs as  root, or qmails in group qmail: nobody else may look into the queue.
//! Exits    0 · 111 if the queue cannot be read.
//! Manual   qmail-qread(8).

use super::envelope::{Record, records};
use super::layout::{self, Kind, MessageNumber};
use crate::control::Control;
use crate::message::date;
use crate::setup::home::Home;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::UNIX_EPOCH;
use unix::descriptor;
use unix::failure::{self, Failure};
use unix::program::{Exit, Invocation};

/// The program's entry.
pub fn main(_: &Invocation) -> Result<Exit, Failure> {
    let home = Home::of_this_program()?;
    layout::use_split_of(&Control::new(home.control()))?;
    let mut out = BufWriter::new(descriptor::output());
    let listed = list(&home, &mut out);
    out.flush().map_err(|error| Failure::temporary("unable to write the list").because(&error))?;
    Ok(if listed? { Exit::SUCCESS } else { Exit::TEMPORARY })
}

/// Lists everything; false if that was not possible, which the list then says.
fn list(home: &Home, out: &mut impl Write) -> Result<bool, Failure> {
    let written = |error: io::Error| Failure::temporary("unable to write the list").because(&error);
    if let Err(error) = std::env::set_current_dir(home.queue()) {
        return complain(out, "unable to chdir", &error).map_err(written);
    }
    for directory in Kind::Info.directories() {
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) => {
                let what = format!("unable to opendir {}", directory.display());
                return complain(out, &what, &error).map_err(written);
            }
        };
        for entry in entries.flatten() {
            let Some(message) = MessageNumber::parse(entry.file_name().as_encoded_bytes()) else { continue };
            match describe(message) {
                Ok(Some(text)) => out.write_all(&text).map_err(written)?,
                Ok(None) => {}
                Err(error) => {
                    let reason = failure::describe(&error);
                    writeln!(out, "warning: trouble with #{message}: {reason}").map_err(written)?;
                }
            }
        }
    }
    Ok(true)
}

fn complain(out: &mut impl Write, what: &str, error: &io::Error) -> io::Result<bool> {
    writeln!(out, "fatal: {what}: {}", failure::describe(error))?;
    Ok(false)
}

/// The lines of one message, or nothing if it was finished while we looked.
fn describe(message: MessageNumber) -> io::Result<Option<Vec<u8>>> {
    let Some(info) = unix::file::read_if_present(&Kind::Info.path(message))? else { return Ok(None) };
    let birth = fs::metadata(Kind::Info.path(message))?.modified()?;
    let size = fs::metadata(Kind::Mess.path(message))?.len();
    let sender = records(&info).find_map(|record| match record {
        Record::Sender(sender) => Some(printable(sender)),
        _ => None,
    });
    let seconds = birth.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let date = date::rfc5322(seconds);
    let date = date.strip_suffix(" -0000").unwrap_or(&date);
    let mut text = format!("{date} GMT  #{message}  {size}  <").into_bytes();
    text.extend(sender.unwrap_or_default());
    text.extend_from_slice(b"> ");
    if Path::new(&Kind::Bounce.path(message)).exists() {
        text.extend_from_slice(b" bouncing");
    }
    text.push(b'\n');
    for (kind, channel) in [(Kind::Local, "local"), (Kind::Remote, "remote")] {
        let file = unix::file::read_if_present(&kind.path(message))?.unwrap_or_default();
        for record in records(&file) {
            let (done, address) = match record {
                Record::Recipient(address) => ("", address),
                Record::Done(address) => ("  done", address),
                _ => continue,
            };
            text.extend_from_slice(format!("{done}\t{channel}\t").as_bytes());
            text.extend(printable(address));
            text.push(b'\n');
        }
    }
    Ok(Some(text))
}

/// What a terminal or a log may be given: bytes that could control it become `_`.
fn printable(text: &[u8]) -> Vec<u8> {
    text.iter().map(|byte| if (32..=126).contains(byte) { *byte } else { b'_' }).collect()
}
