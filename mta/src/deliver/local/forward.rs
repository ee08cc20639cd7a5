//! Forwards: the message goes back into the queue, once, for all new recipients.

use crate::queue::client::Submission;
use crate::queue::enqueue_error::Refusal;
use crate::setup::home::Home;
use std::io::{self, Read};
use unix::failure::Failure;
use unix::process::Pid;

/// Why a message did not get into the queue again.
#[derive(Debug)]
pub enum Trouble {
    /// The mail system's home, where the queue is, cannot be used.
    Installation(Failure),
    /// qmail-queue could not be started.
    Fork(io::Error),
    /// The message cannot be read.
    Read(io::Error),
    /// qmail-queue did not take it.
    Refused(Refusal),
}

/// Queues a message behind its Delivered-To line, and returns the number of the qmail-queue process.
///
/// Addresses are not examined: qmail-queue refuses those that no message can go to.
pub fn queue(
    message: &mut impl Read,
    delivered_to: &[u8],
    sender: &[u8],
    recipients: &[Vec<u8>],
) -> Result<Pid, Trouble> {
    let home = Home::of_this_program().map_err(Trouble::Installation)?;
    let mut submission = Submission::start(&home).map_err(Trouble::Fork)?;
    let pid = submission.pid();
    submission.put(delivered_to);
    let read = submission.copy(message);
    if read.is_err() {
        submission.abandon();
    }
    let mut envelope = submission.envelope(sender);
    for recipient in recipients {
        envelope.recipient(recipient);
    }
    let queued = envelope.close();
    read.map_err(Trouble::Read)?;
    queued.map_err(Trouble::Refused)?;
    Ok(pid)
}
