//! `rblsmtpd` turns away clients that DNS lists name, and becomes the SMTP server for the others.
//!
//! Called   `rblsmtpd [-bBcCl] [-t seconds] [-r list] [-a list] smtpd [argument ...]`, under `tcpserver`.
//! Reads    TCPREMOTEIP, RBLSMTPD; fd 0: the client, if it is turned away.      Writes  fd 1, fd 2.
//! Runs as  anybody.   Trusts  the lists that it is told to ask.
//! Exits    0 the client was turned away · with the status of the SMTP server · 100 called wrongly · 111 the SMTP
//!          server cannot be run.
//! Manual   rblsmtpd(8).    Next in the flow: the SMTP server, or rblsmtpd::session.

mod lists;
mod log;
mod options;
mod session;

use crate::deadline::Deadline;
use lists::Lists;
use session::Reply;
use std::io::{self, Read, Write};
use std::time::Duration;
use unix::environment::Environment;
use unix::exec::{self, Search};
use unix::failure::Failure;
use unix::poll::Interest;
use unix::program::{Exit, Invocation};
use unix::signal::{self, Signal};
use unix::{descriptor, environment, process};

/// Runs the program.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let options = options::read(invocation)?;
    let client = environment::get("TCPREMOTEIP").unwrap_or_default();
    let told = environment::get("RBLSMTPD");
    let verdict = lists::judge(told.as_deref(), &options.steps, &mut Lists::new(&client));
    let Some(reply) = Reply::to(&verdict) else { return Err(run(&options.program)) };
    let list = if options.logs_lists { verdict.list() } else { None };
    descriptor::write_error_line(&[&log::line(&client, process::own_pid(), list, &reply)]);
    // A client that leaves is as good as one that was turned away.
    signal::ignore(Signal::SIGPIPE);
    let _ = turn_away(&reply, options.patience);
    Ok(Exit::SUCCESS)
}

/// Becomes the SMTP server. Returns only if that failed.
fn run(program: &[Vec<u8>]) -> Failure {
    let error = exec::exec(program, &Environment::inherited(), Search::Path);
    let name = program.first().map(Vec::as_slice).unwrap_or_default();
    Failure::temporary([&b"unable to run "[..], name].concat()).because(&error)
}

/// Holds a conversation in which nothing is accepted, for so long; for no time, says so at once.
fn turn_away(reply: &Reply, patience: Duration) -> io::Result<()> {
    let deadline = Deadline::after(patience);
    if patience.is_zero() {
        return descriptor::output().write_all(&[reply.line(), b"\r\n"].concat());
    }
    let mut session = session::Session::new(reply);
    send(session::GREETING, &deadline)?;
    let mut buffer = [0; 1024];
    while !session.is_over() {
        deadline.wait(descriptor::input(), Interest::Read)?;
        let length = descriptor::input().read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        let bytes = buffer.get(..length).unwrap_or_default();
        send(&session.answer(bytes), &deadline)?;
    }
    Ok(())
}

fn send(mut bytes: &[u8], deadline: &Deadline) -> io::Result<()> {
    while !bytes.is_empty() {
        deadline.wait(descriptor::output(), Interest::Write)?;
        // No more at a time than there is room for.
        let (some, _) = bytes.split_at_checked(WRITE_LIMIT).unwrap_or((bytes, b""));
        let length = descriptor::output().write(some)?;
        bytes = bytes.get(length..).unwrap_or_default();
    }
    Ok(())
}

/// What fits into a pipe or socket that has room at all.
const WRITE_LIMIT: usize = 512;
