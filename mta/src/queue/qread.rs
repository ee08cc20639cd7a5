//! `qmail-qread` lists the messages in the queue and their recipients.
//!
//! Reads    control/conf-split, info, local, remote, bounce, mess.      Writes  fd 1: the list, and complaints among it.
//! Runs as  root, or qmails in group qmail: nobody else may look into the queue.
//! Exits    0 · 100 used wrongly · 111 if the queue cannot be read.
//! Manual   qmail-qread(8).

use super::layout::{self, Kind};
use super::listing::{self, Entry};
use crate::control::Control;
use crate::message::date;
use crate::setup::home::Home;
use std::io::{self, BufWriter, ErrorKind, Write};
use unix::descriptor;
use unix::failure::{self, Failure};
use unix::program::{Exit, Invocation};

const USAGE: &str = "qmail-qread [ --json ]";

/// How a message is written: as people read it, or as programs do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Json,
}

impl Form {
    fn of(self, entry: &Entry) -> Vec<u8> {
        match self {
            Form::Text => text(entry),
            Form::Json => (entry.json() + "\n").into_bytes(),
        }
    }
}

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let form = match invocation.arguments.as_slice() {
        [] => Form::Text,
        [word] if word == b"--json" => Form::Json,
        _ => return Err(Failure::usage(USAGE)),
    };
    let home = Home::of_this_program()?;
    layout::use_split_of(&Control::new(home.control()))?;
    let mut out = BufWriter::new(descriptor::output());
    let listed = list(&home, form, &mut out);
    out.flush().map_err(unwritten)?;
    Ok(if listed? { Exit::SUCCESS } else { Exit::TEMPORARY })
}

/// Lists everything; false if that was not possible, which the list then says.
fn list(home: &Home, form: Form, out: &mut impl Write) -> Result<bool, Failure> {
    if let Err(error) = std::env::set_current_dir(home.queue()) {
        return complain(out, "unable to chdir", &error).map_err(unwritten);
    }
    for directory in Kind::Info.directories() {
        let messages = match listing::numbers(&directory) {
            Ok(messages) => messages,
            Err(error) => {
                let what = format!("unable to opendir {}", directory.display());
                return complain(out, &what, &error).map_err(unwritten);
            }
        };
        for message in messages {
            let trouble = match listing::look(message) {
                Ok(Some(entry)) => {
                    out.write_all(&form.of(&entry)).map_err(unwritten)?;
                    continue;
                }
                // Finished while we looked, or a part of it is lost: people want to know, programs ask again.
                Ok(None) if form == Form::Json => continue,
                Ok(None) => ErrorKind::NotFound.into(),
                Err(error) => error,
            };
            let reason = failure::describe(&trouble);
            writeln!(out, "warning: trouble with #{message}: {reason}").map_err(unwritten)?;
        }
    }
    Ok(true)
}

fn complain(out: &mut impl Write, what: &str, error: &io::Error) -> io::Result<bool> {
    writeln!(out, "fatal: {what}: {}", failure::describe(error))?;
    Ok(false)
}

fn unwritten(error: io::Error) -> Failure {
    Failure::temporary("unable to write the list").because(&error)
}

/// A line for the message, and one for each recipient. The form is the documented one, to the byte.
pub fn text(entry: &Entry) -> Vec<u8> {
    let date = date::rfc5322(entry.birth);
    let date = date.strip_suffix(" -0000").unwrap_or(&date);
    let mut text = format!("{date} GMT  #{}  {}  <", entry.message, entry.size).into_bytes();
    text.extend(printable(&entry.sender));
    text.extend_from_slice(b"> ");
    if entry.bouncing {
        text.extend_from_slice(b" bouncing");
    }
    if entry.held {
        text.extend_from_slice(b" held");
    }
    text.push(b'\n');
    for recipient in &entry.recipients {
        let done = if recipient.done { "  done" } else { "" };
        text.extend_from_slice(format!("{done}\t{}\t", recipient.channel.directory()).as_bytes());
        text.extend(printable(&recipient.address));
        text.push(b'\n');
    }
    text
}

/// What a terminal or a log may be given: bytes that could control it become `_`.
pub fn printable(text: &[u8]) -> Vec<u8> {
    text.iter().map(|byte| if (32..=126).contains(byte) { *byte } else { b'_' }).collect()
}
