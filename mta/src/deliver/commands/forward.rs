//! `forward` sends the message on to other addresses.
//!
//! Reads    fd 0: the message; NEWSENDER and DTLINE, which qmail-local sets.
//! Writes   the queue, by qmail-queue · fd 2: `forward: qp N`.
//! Runs as  the owner of the `.qmail` file.     Trusts  its arguments.
//! Exits    0 · 100 called outside qmail-local, or refused by the queue · 111 try again.
//! Manual   forward(1).    Next in the flow: queue::client.

use super::redirect;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let sender = redirect::variable(invocation, "NEWSENDER")?;
    let delivered_to = redirect::variable(invocation, "DTLINE")?;
    redirect::send(invocation, &delivered_to, &sender, &invocation.arguments)?;
    Ok(Exit::SUCCESS)
}
