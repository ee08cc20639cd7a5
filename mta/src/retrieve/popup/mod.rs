//! `qmail-popup` asks a POP3 client who it is, and lets another program check that.
//!
//! Reads    fd 0: commands.   Writes  fd 1: replies.
//! Runs     its arguments, once, with descriptor 3: name NUL password NUL greeting's stamp NUL.
//! Runs as  root, for the program's sake.   Trusts  its arguments, the client for nothing.
//! Exits    1, always.
//! Manual   qmail-popup(8).    Next in the flow: checkpassword, then retrieve::pop3d.

pub mod session;

use super::command::Command;
use super::{CAPABILITIES, OK, error};
use crate::server::connection::{Connection, Lost, Timeouts};
use session::{Credentials, Session, Step};
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use unix::descriptor;
use unix::environment::Environment;
use unix::exec::{self, Search};
use unix::failure::Failure;
use unix::process::{self, Ended};
use unix::program::{Exit, Invocation};
use unix::signal::{self, Signal};
use unix::stamp::Stamp;

/// Seconds for a command, and for the client to take a reply. RFC 1939 §3 asks for at least 600.
const TIMEOUT: u64 = 1200;
/// The descriptor that the program reads name and password from.
const CREDENTIALS: i32 = 3;
/// The only status.
const END: Exit = Exit(1);

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    signal::ignore(Signal::SIGPIPE);
    let mut connection = Connection::new(Timeouts::from_seconds(TIMEOUT, TIMEOUT)).without_reading_ahead();
    // A client that is gone, or silent, is told nothing.
    let _ = serve(&mut connection, &invocation.arguments);
    Ok(END)
}

fn serve(connection: &mut Connection, arguments: &[Vec<u8>]) -> Result<(), Lost> {
    let reply = match arguments.split_first() {
        Some((host, program)) if !program.is_empty() => {
            let stamp = stamp(host);
            connection.reply(&[b"+OK ", stamp.as_slice(), b"\r\n"].concat())?;
            match converse(connection)? {
                None => OK.to_vec(),
                Some(credentials) => authenticate(program, credentials, &stamp),
            }
        }
        _ => error("usage: popup hostname subprogram"),
    };
    connection.reply(&reply)?;
    connection.flush()
}

/// What no other greeting has, for APOP. RFC 1939 §7.
fn stamp(host: &[u8]) -> Vec<u8> {
    let (pid, time) = (process::own_pid(), Stamp::now().seconds);
    [format!("<{pid}.{time}@").as_bytes(), host, b">"].concat()
}

/// Up to the login, or to QUIT.
fn converse(connection: &mut Connection) -> Result<Option<Credentials>, Lost> {
    let mut session = Session::default();
    loop {
        match session.answer(Command::read(connection)?) {
            Step::Ok => connection.reply(OK)?,
            Step::Capabilities => connection.reply(CAPABILITIES)?,
            Step::Error(text) => connection.reply(&error(text))?,
            Step::Quit => return Ok(None),
            Step::Authenticate(credentials) => {
                connection.flush()?;
                return Ok(Some(credentials));
            }
        }
    }
}

/// Runs the program, for as long as the rest of the session takes; what the client is told after that. A client
/// that was served is gone by then.
fn authenticate(program: &[Vec<u8>], credentials: Credentials, stamp: &[u8]) -> Vec<u8> {
    let Ok((reader, writer)) = descriptor::pipe() else { return error("unable to open pipe") };
    let Ok(child) = process::fork(|| run(program, &reader)) else { return error("unable to fork") };
    // The reader is still open here, so a program that does not read its descriptor 3 is no write error.
    let written = File::from(writer).write_all(&credentials.to_bytes(stamp));
    drop((reader, credentials));
    if written.is_err() {
        return error("unable to write pipe");
    }
    match process::wait_for(child) {
        Ok(Ended::Exited(0)) => Vec::new(),
        Ok(Ended::Exited(_)) => error("authorization failed"),
        Ok(Ended::Killed { .. }) | Err(_) => error("aack, child crashed"),
    }
}

/// The child.
fn run(program: &[Vec<u8>], credentials: &OwnedFd) -> u8 {
    if descriptor::place_all(&[(credentials.as_fd(), CREDENTIALS)]).is_err() {
        return END.0;
    }
    signal::default(Signal::SIGPIPE);
    let _ = exec::exec(program, &Environment::inherited(), Search::Path);
    END.0
}
