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
    // No message is not an empty one.
    inherited::check(0).map_err(|error| unreadable(&error))?;
    let pid: Pid =
        forward::queue(&mut descriptor::input(), delivered_to, sender, recipients).map_err(|trouble| {
            match trouble {
                Trouble::Installation(failure) => failure,
                Trouble::Fork(error) => Failure::temporary("unable to fork").because(&error),
                Trouble::Read(error) => unreadable(&error),
                Trouble::Refused(refusal) => match refusal.class {
                    Class::Permanent => Failure::permanent(refusal.text),
                    Class::Temporary => Failure::temporary(refusal.text),
                },
            }
        })?;
    descriptor::write_error_line(&[invocation.name.as_bytes(), format!(": qp {pid}").as_bytes()]);
    Ok(())
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::temporary("unable to read message").because(error)
}
