//! `predate` puts a Date field with local time before a message; `datemail` sends the message then.
//!
//! Reads    fd 0: the message.      Writes   the standard input of the program.
//! Runs as  the user.   Trusts  its caller; `TZ` and the system's time zones.
//! Exits    with the program's status · 100 called wrongly · 111 it cannot be run, or the message not be read.
//! Manual   predate(1), datemail(1).    Next in the flow: receive::inject::sendmail.

use crate::message::date;
use crate::setup::home::Home;
use std::os::unix::ffi::OsStrExt;
use unix::exec::Search;
use unix::failure::Failure;
use unix::feed::{self, Trouble};
use unix::process::Ended;
use unix::program::{Exit, Invocation};
use unix::stamp::Stamp;
use unix::{descriptor, inherited};

/// The entry of `predate`.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    if invocation.arguments.is_empty() {
        return Err(Failure::usage("predate child"));
    }
    run(invocation, &invocation.arguments)
}

/// The entry of `datemail`: the program is sendmail.
pub fn datemail(invocation: &Invocation) -> Result<Exit, Failure> {
    let sendmail = Home::of_this_program()?.program("sendmail").as_os_str().as_bytes().to_vec();
    let words: Vec<Vec<u8>> = [sendmail].into_iter().chain(invocation.arguments.iter().cloned()).collect();
    run(invocation, &words)
}

fn run(invocation: &Invocation, words: &[Vec<u8>]) -> Result<Exit, Failure> {
    let date = format!("Date: {}\n", date::rfc5322_local(Stamp::now().seconds));
    feed_message(invocation, words, date.as_bytes())
}

/// Runs a program with a beginning of a header and the rest of a message, from standard input, as its input.
///
/// If the message breaks off, the program is killed before it can take what it has for a whole one.
pub(super) fn feed_message(
    invocation: &Invocation,
    words: &[Vec<u8>],
    beginning: &[u8],
) -> Result<Exit, Failure> {
    let unreadable = |error| Failure::temporary("unable to read the message").because(&error);
    // No message is not an empty message.
    inherited::check(0).map_err(unreadable)?;
    let program = feed::Program {
        words,
        environment: &invocation.environment(),
        search: Search::PathOrShell,
        not_run: &|error| {
            let name = words.first().map_or(&b""[..], Vec::as_slice);
            let failure = Failure::temporary([b"unable to run ", name].concat()).because(&error);
            failure.report(invocation.name);
            failure.exit().0
        },
    };
    match feed::feed(&program, beginning, &mut descriptor::input()) {
        Ok(Ended::Exited(code)) => Ok(Exit(code)),
        Ok(Ended::Killed { .. }) => Err(Failure::temporary("child crashed")),
        Err(Trouble::Pipe(error)) => Err(Failure::temporary("unable to create pipe").because(&error)),
        Err(Trouble::Fork(error)) => Err(Failure::temporary("unable to fork").because(&error)),
        Err(Trouble::Input(error)) => Err(unreadable(error)),
        Err(Trouble::Wait(error)) => Err(Failure::temporary("wait failed").because(&error)),
    }
}
