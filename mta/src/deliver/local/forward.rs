//! Forwards: the message goes back into the queue, once, for all new recipients.

use crate::queue::client::Submission;
use crate::queue::enqueue_error::Refusal;
use crate::setup::home::Home;
use std::io::{self, ErrorKind, Read};
use unix::failure::Failure;
use unix::process::Pid;

const BUFFER: usize = 16 * 1024;

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
    let read = copy(message, &mut submission);
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

fn copy(message: &mut impl Read, submission: &mut Submission) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match message.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => submission.put(buffer.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
