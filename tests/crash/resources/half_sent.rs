//! A message that is being received: qmail-queue has a part of it, and waits for the rest.

use super::super::ledger::Number;
use super::laboratory::{Laboratory, sender};
use harness::{HOST, Running, wait_until};
use std::fs::File;
use std::io::Write;
use std::process::Stdio;

/// A qmail-queue in the middle of its work.
pub struct HalfSent {
    pub number: Number,
    queue: Running,
    message: Option<File>,
    envelope: File,
    /// What it still has to be given, of message and envelope.
    rest: (String, String),
}

impl HalfSent {
    /// Half of a message (S2), or all of it with half of its envelope (S3).
    pub fn new(laboratory: &Laboratory, has_whole_message: bool) -> HalfSent {
        let number = laboratory.ledger.draw();
        let (message_reader, message) = unix::descriptor::pipe().expect("a pipe");
        let (envelope_reader, envelope) = unix::descriptor::pipe().expect("a pipe");
        let before = laboratory.instance.queue();
        let mut command = laboratory.command(&[laboratory.program("qmail-queue")]);
        command.stdin(message_reader).stdout(envelope_reader).stderr(Stdio::null());
        let queue = Running::start(&mut command);
        // The command keeps the pipes' ends for reading.
        drop(command);
        let (mut message, mut envelope) = (File::from(message), File::from(envelope));
        let (text, addresses) = (number.text(), format!("F{}\0Tjoe@{HOST}\0\0", sender()));
        let (first, rest) = text.split_at(if has_whole_message { text.len() } else { text.len() / 2 });
        message.write_all(first.as_bytes()).expect("a qmail-queue that reads");
        let (first, address_rest) =
            addresses.split_at(if has_whole_message { addresses.len() / 2 } else { 0 });
        envelope.write_all(first.as_bytes()).expect("a qmail-queue that reads");
        let message = (!has_whole_message).then_some(message);
        let kind = if has_whole_message { "intd/" } else { "mess/" };
        wait_until("a message that is being received", || {
            let new = &laboratory.instance.queue() - &before;
            new.iter().any(|name| name.starts_with(kind)) && !new.iter().any(|name| name.starts_with("pid/"))
        });
        HalfSent { number, queue, message, envelope, rest: (rest.to_owned(), address_rest.to_owned()) }
    }

    /// Gives it the rest; its exit status.
    pub fn finish(mut self) -> i32 {
        if let Some(mut message) = self.message.take() {
            message.write_all(self.rest.0.as_bytes()).expect("a qmail-queue that reads");
        }
        self.envelope.write_all(self.rest.1.as_bytes()).expect("a qmail-queue that reads");
        drop(self.envelope);
        self.queue.wait()
    }
}
