//! `qmail-pop3d` shows a maildir to its owner's mail reader.
//!
//! Reads    fd 0: commands.   The maildir that its argument names, below the working directory.
//! Writes   fd 1: replies and messages.   fd 2: that it was called by root.
//! Runs as  the mailbox's owner.   Trusts  whoever started it that the client is the owner.
//! Exits    0 · 1 if it was called by root.
//! Manual   qmail-pop3d(8).
//!
//! Here is the loop. What a client may do is in [`session`], what a message is on the wire in [`body`], and what
//! is done on disk in [`maildir`].

pub mod body;
pub mod maildir;
pub mod session;

use super::command::Command;
use super::{CAPABILITIES, OK, error};
use crate::server::connection::{Connection, Lost, Timeouts};
use body::Encoder;
use session::{Column, Message, Session, Step, identifier, number_of};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;
use unix::clock::Now;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::signal::{self, Signal};
use unix::{account, directory};

/// Seconds for a command, and for the client to take what it is sent. RFC 1939 §3 asks for at least 600.
const TIMEOUT: u64 = 1200;
/// How long a session may last. Whoever fetches much over a slow line is not to begin again and again.
const SESSION: Duration = Duration::from_hours(24);
const BUFFER: usize = 16 * 1024;

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    if account::real_uid() == 0 || account::effective_uid() == 0 {
        return Err(Failure::verbatim(Exit(1), "qmail-pop3d invoked as uid 0, terminating"));
    }
    signal::ignore(Signal::SIGPIPE);
    let mut connection = Connection::new(Timeouts::from_seconds(TIMEOUT, TIMEOUT).with_session(SESSION));
    // A client that is gone, or silent, has deleted nothing, and is told nothing.
    let _ = match open_mailbox(invocation.arguments.first()) {
        Ok(messages) => serve(&mut connection, Session::new(messages)),
        Err(text) => connection.reply(&error(text)).and_then(|()| connection.flush()),
    };
    Ok(Exit::SUCCESS)
}

/// Makes the maildir the working directory; its messages.
fn open_mailbox(argument: Option<&Vec<u8>>) -> Result<Vec<Message>, &'static str> {
    let path = argument.map(|argument| Path::new(std::ffi::OsStr::from_bytes(argument)));
    let entered = path.is_some_and(|path| directory::enter(path).is_ok());
    if !entered {
        return Err("this user has no $HOME/Maildir");
    }
    let now = Now::read().wall;
    maildir::clean(now);
    maildir::scan(now).map_err(|_| "unable to scan $HOME/Maildir")
}

/// The whole session, up to QUIT or the loss of the client.
fn serve(connection: &mut Connection, mut session: Session) -> Result<(), Lost> {
    connection.reply(OK)?;
    loop {
        match session.answer(Command::read(connection)?) {
            Step::Ok => connection.reply(OK)?,
            Step::Answer(text) => connection.reply(format!("+OK {text}\r\n").as_bytes())?,
            Step::Identifier(number, identifier) => {
                connection.reply(&line(&format!("+OK {number}"), &identifier))?;
            }
            Step::Error(text) => connection.reply(&error(text))?,
            Step::Capabilities => connection.reply(CAPABILITIES)?,
            Step::List(column) => list(connection, &session, column)?,
            Step::Send(index, lines) => match session.message(index).map(maildir::open) {
                Some(Ok(file)) => send(connection, file, lines)?,
                Some(Err(_)) | None => connection.reply(&error("unable to open that message"))?,
            },
            Step::Quit => {
                connection.reply(&update(&session))?;
                return connection.flush();
            }
        }
    }
}

fn list(connection: &mut Connection, session: &Session, column: Column) -> Result<(), Lost> {
    connection.reply(OK)?;
    for (index, message) in session.present() {
        let number = number_of(index).to_string();
        let value = match column {
            Column::Size => message.size.to_string().into_bytes(),
            Column::Identifier => identifier(&message.name),
        };
        connection.reply(&line(&number, &value))?;
    }
    connection.reply(b".\r\n")
}

fn line(start: &str, value: &[u8]) -> Vec<u8> {
    [start.as_bytes(), b" ", value, b"\r\n"].concat()
}

/// Sends a message, or a part of it. A message that cannot be read to its end must not seem complete, so the
/// session ends then.
fn send(connection: &mut Connection, mut file: File, lines: Option<u64>) -> Result<(), Lost> {
    connection.reply(OK)?;
    let mut encoder = Encoder::new(lines);
    let mut buffer = vec![0; BUFFER];
    let mut wire = Vec::new();
    loop {
        let length = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return Err(Lost::Gone),
        };
        let wants_more = encoder.feed(buffer.get(..length).unwrap_or_default(), &mut wire);
        connection.reply(&wire)?;
        wire.clear();
        if !wants_more {
            break;
        }
    }
    encoder.finish(&mut wire);
    connection.reply(&wire)
}

/// QUIT: what was deleted goes, what is left has been seen. One reply, whatever happens to how many. RFC 1939 §6.
fn update(session: &Session) -> Vec<u8> {
    let failures = session.deleted().filter(|message| maildir::delete(message).is_err()).count();
    session.present().for_each(|(_, message)| maildir::mark_as_seen(message));
    if failures == 0 { OK.to_vec() } else { error("unable to unlink all deleted messages") }
}
