//! What qmail-inject says when it fails, each text once.

use crate::queue::enqueue_error::{Class, Refusal};
use std::io;
use unix::failure::Failure;
use unix::program::Exit;

/// A header field or a value that is no list of addresses.
pub fn unparsable_line(line: &[u8]) -> Failure {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    Failure::permanent([b"unable to parse this line:\n", line].concat())
}

/// An argument that is no address.
pub fn unparsable_address(argument: &[u8]) -> Failure {
    Failure::permanent([b"unable to parse address: ", argument].concat())
}

/// A NUL would end the address in the envelope, and what follows it would be another recipient.
pub fn address_with_nul(address: &[u8]) -> Failure {
    let shown: Vec<u8> = address.iter().map(|byte| if *byte == 0 { b'?' } else { *byte }).collect();
    Failure::permanent([b"address contains a NUL: ", shown.as_slice()].concat())
}

/// A header that would take too much memory.
pub fn header_too_long(limit: usize) -> Failure {
    Failure::permanent(format!("header is longer than {limit} bytes"))
}

/// The message could not be read.
pub fn unreadable_message(error: &io::Error) -> Failure {
    Failure::temporary("unable to read the message").because(error)
}

/// The file that QMAILMFTFILE names could not be read.
pub fn unreadable_list_file(path: &[u8], error: &io::Error) -> Failure {
    Failure::temporary([b"unable to read ", path].concat()).because(error)
}

/// With `-n`: standard output does not take the message.
pub fn unwritable_output(error: &io::Error) -> Failure {
    Failure::temporary("unable to write the message").because(error)
}

/// No pipe or no process for the queue program.
pub fn unable_to_run_queue(error: &io::Error) -> Failure {
    Failure::temporary("unable to run qmail-queue").because(error)
}

/// The queue program's answer.
pub fn refused(refusal: &Refusal) -> Failure {
    let exit = match refusal.class {
        Class::Permanent => Exit::PERMANENT,
        Class::Temporary => Exit::TEMPORARY,
    };
    Failure::with_exit(exit, &refusal.text)
}
