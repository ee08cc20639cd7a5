//! Where the message goes: into the queue, or onto standard output to be looked at.

use super::failure;
use super::options::Destination;
use crate::message::quote;
use crate::queue::client::Submission;
use crate::setup::home::Home;
use std::io::{self, BufRead, Write};
use unix::descriptor::{self, Standard};
use unix::failure::Failure;
use unix::inherited;

/// Who sends the message, and who gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The envelope sender.
    pub sender: Vec<u8>,
    /// The recipients, in order.
    pub recipients: Vec<Vec<u8>>,
}

/// A message that is being written.
pub enum Output {
    /// To the queue program.
    Queue(Submission),
    /// To standard output.
    Print(Standard),
}

impl Output {
    /// Begins a message. On standard output a field tells the sender, which is in no message that is queued.
    ///
    /// # Errors
    /// Permanent, if an address cannot be in an envelope; temporary, if there is no queue program to be had.
    pub fn start(destination: Destination, home: &Home, envelope: &Envelope) -> Result<Output, Failure> {
        match destination {
            Destination::Queue => {
                let mut addresses = envelope.recipients.iter().chain([&envelope.sender]);
                if let Some(address) = addresses.find(|address| address.contains(&0)) {
                    return Err(failure::address_with_nul(address));
                }
                let submission = Submission::start(home);
                Ok(Output::Queue(submission.map_err(|error| failure::unable_to_run_queue(&error))?))
            }
            Destination::Print => {
                inherited::check(1).map_err(|error| failure::unwritable_output(&error))?;
                let mut output = Output::Print(descriptor::output());
                output.put(
                    &[b"Return-Path: <", quote::address(&envelope.sender).as_slice(), b">\n"].concat(),
                )?;
                Ok(output)
            }
        }
    }

    /// Adds to the message.
    ///
    /// # Errors
    /// Standard output takes no more. What the queue program does not take shows in its answer, at the end.
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Output::Queue(submission) => submission.put(bytes),
            Output::Print(output) => {
                output.write_all(bytes).map_err(|error| failure::unwritable_output(&error))?;
            }
        }
        Ok(())
    }

    /// Adds the body: its beginning, and the rest of the input. A last line without newline gets one.
    pub fn put_body(&mut self, start: &[u8], input: &mut impl BufRead) -> Result<(), Failure> {
        let mut last = start.last().copied();
        self.put(start)?;
        loop {
            let bytes = match input.fill_buf() {
                Ok([]) => break,
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(failure::unreadable_message(&error)),
            };
            let length = bytes.len();
            last = bytes.last().copied();
            self.put(bytes)?;
            input.consume(length);
        }
        if last.is_some_and(|last| last != b'\n') { self.put(b"\n") } else { Ok(()) }
    }

    /// Ends the message.
    ///
    /// # Errors
    /// The queue program's answer: nothing was queued.
    pub fn finish(self, envelope: &Envelope) -> Result<(), Failure> {
        let Output::Queue(submission) = self else { return Ok(()) };
        let mut records = submission.envelope(&envelope.sender);
        for recipient in &envelope.recipients {
            records.recipient(recipient);
        }
        records.close().map_err(|refusal| failure::refused(&refusal))
    }
}
