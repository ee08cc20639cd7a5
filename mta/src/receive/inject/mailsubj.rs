//! `mailsubj` sends a message under a subject.
//!
//! Reads    fd 0: the body.      Writes   the standard input of qmail-inject.
//! Runs as  the user.   Trusts  its caller; no argument can add a field to the header.
//! Exits    as qmail-inject · 100 called wrongly · 111 that cannot be run, or the body not be read.
//! Manual   mailsubj(1).    Next in the flow: receive::inject.

use super::predate;
use crate::setup::home::Home;
use std::os::unix::ffi::OsStrExt;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};

const USAGE: &str = "mailsubj subject recipient ...";

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let (subject, recipients) = invocation.arguments.split_first().ok_or(Failure::usage(USAGE))?;
    if recipients.is_empty() {
        return Err(Failure::usage(USAGE));
    }
    let inject = Home::of_this_program()?.program("qmail-inject").as_os_str().as_bytes().to_vec();
    predate::feed_message(invocation, &[inject], &header(subject, recipients))
}

/// qmail-inject puts the commas between recipients.
fn header(subject: &[u8], recipients: &[Vec<u8>]) -> Vec<u8> {
    let recipients = recipients.join(&b" "[..]);
    [b"Subject: ", in_one_line(subject).as_slice(), b"\nTo: ", &in_one_line(&recipients), b"\n\n"].concat()
}

/// A line end would end the field, and what follows it would be another.
fn in_one_line(text: &[u8]) -> Vec<u8> {
    text.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_argument_can_add_a_field() {
        let header = header(b"hi\nBcc: x\r\n\nbody", &[b"a@b".to_vec(), b"c\nBcc: d".to_vec()]);
        assert_eq!(header, b"Subject: hi Bcc: x   body\nTo: a@b c Bcc: d\n\n");
    }
}
