//! `condredirect` sends the message to another address, instead of delivering it here, if a program says so.
//!
//! Reads    fd 0: the message, a file; SENDER and DTLINE, which qmail-local sets.
//! Writes   the queue, by qmail-queue · fd 2: `condredirect: qp N`.
//! Runs as  the owner of the `.qmail` file.     Trusts  its arguments.
//! Exits    0 the program says no · 99 redirected · 100 called wrongly, or refused by the queue · 111 try again.
//! Manual   condredirect(1).    Next in the flow: queue::client.

use super::filter::{self, Answer};
use super::redirect;
use std::fs::File;
use std::io::Seek;
use std::os::fd::AsFd;
use unix::descriptor;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};

const USAGE: &str = "condredirect newaddress program [ arg ... ]";
/// The later lines of the `.qmail` file do not count.
const DONE: Exit = Exit(99);

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let (address, program) = invocation.arguments.split_first().ok_or(Failure::usage(USAGE))?;
    if program.is_empty() {
        return Err(Failure::usage(USAGE));
    }
    if filter::ask(program)? == Answer::No {
        return Ok(Exit::SUCCESS);
    }
    rewind()?;
    let sender = redirect::variable(invocation, "SENDER")?;
    let delivered_to = redirect::variable(invocation, "DTLINE")?;
    redirect::send(invocation, &delivered_to, &sender, std::slice::from_ref(address))?;
    Ok(DONE)
}

/// The program has read some of the message.
fn rewind() -> Result<(), Failure> {
    let rewound =
        descriptor::input().as_fd().try_clone_to_owned().and_then(|message| File::from(message).rewind());
    rewound.map_err(|error| Failure::temporary("unable to rewind").because(&error))
}
