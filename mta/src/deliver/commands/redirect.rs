//! Sending the message on standard input to other addresses.

use crate::deliver::local::forward::{self, Trouble};
use crate::queue::enqueue_error::Class;
use std::io;
use unix::failure::Failure;
use unix::process::Pid;
use unix::program::Invocation;
use unix::{descriptor, inherited};

/// The value of a variable that qmail-local sets for its programs.
pub fn variable(invocation: &Invocation, name: &str) -> Result<Vec<u8>, Failure> {
    let value = invocation.environment().get(name).map(<[u8]>::to_vec);
    value.ok_or_else(|| Failure::permanent(format!("{name} not set")))
}

/// Queues the message, with the line that lets loops be seen, and says the number of qmail-queue.
pub fn send(
    invocation: &Invocation,
    delivered_to: &[u8],
    sender: &[u8],
    recipients: &[Vec<u8>],
) -> Result<(), Failure> {
    let pid = queue(delivered_to, sender, recipients, b"")?;
    descriptor::write_error_line(&[invocation.name.as_bytes(), format!(": qp {pid}").as_bytes()]);
    Ok(())
}

/// Queues the message; the number of qmail-queue. `refused` goes before the words of a refusal.
pub fn queue(
    delivered_to: &[u8],
    sender: &[u8],
    recipients: &[Vec<u8>],
    refused: &[u8],
) -> Result<Pid, Failure> {
    // No message is not an empty one.
    inherited::check(0).map_err(|error| unreadable(&error))?;
    forward::queue(&mut descriptor::input(), delivered_to, sender, recipients).map_err(
        |trouble| match trouble {
            Trouble::Installation(failure) => failure,
            Trouble::Fork(error) => Failure::temporary("unable to fork").because(&error),
            Trouble::Read(error) => unreadable(&error),
            Trouble::Refused(refusal) => {
                let text = [refused, &refusal.text].concat();
                match refusal.class {
                    Class::Permanent => Failure::permanent(text),
                    Class::Temporary => Failure::temporary(text),
                }
            }
        },
    )
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::temporary("unable to read message").because(error)
}
