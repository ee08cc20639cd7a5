//! `splogger [tag [facility]]` passes log lines on to syslog.
//!
//! Reads    fd 0: lines.   Writes  `/dev/log`: an entry for each line, with its time to the microsecond.
//! Runs as  qmaill.   Trusts  nobody: bytes that are not printable become `?`.
//! Exits    0 at the end of the input · 111 the input cannot be read.
//! Manual   splogger(8).    Before it in the flow: qmail-send, tcpserver.

mod pieces;
mod syslog;

use crate::filter;
use pieces::Pieces;
use syslog::Syslog;
use unix::failure::Failure;
use unix::number;
use unix::program::{Exit, Invocation};
use unix::signal::{self, Signal};
use unix::stamp::Stamp;

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    // syslogd may go away, and come back.
    signal::ignore(Signal::SIGPIPE);
    let mut arguments = invocation.arguments.iter();
    let tag = arguments.next().map_or(&b"splogger"[..], Vec::as_slice);
    let facility = arguments.next().map_or(MAIL, |text| facility(text));
    let mut syslog = Syslog::new(tag, facility);
    let mut pieces = Pieces::default();
    let mut input = vec![0; READ_SIZE];
    loop {
        let length = filter::read_some(&mut input)
            .map_err(|error| Failure::temporary("unable to read").because(&error))?;
        if length == 0 {
            return Ok(Exit::SUCCESS);
        }
        let bytes = input.get(..length).unwrap_or_default();
        pieces.take(bytes, Stamp::now, |piece| syslog.log(piece));
    }
}

/// The facility that a number means, as syslog(3) has it: what is no number is 0, the kernel's; a number that fits no
/// entry is "user".
fn facility(text: &[u8]) -> u8 {
    match number::scan(text).0 {
        number @ 0..=HIGHEST => u8::try_from(number).unwrap_or(USER),
        _ => USER,
    }
}

const USER: u8 = 1;
const MAIL: u8 = 2;
/// Seven bits of an entry's number are for the facility.
const HIGHEST: u64 = 127;
const READ_SIZE: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_facility_is_a_number_that_fits_an_entry() {
        assert_eq!([&b"3"[..], b"127", b"2x", b"0", b"mail", b""].map(facility), [3, 127, 2, 0, 0, 0]);
        assert_eq!([&b"128"[..], b"99999999999999999999"].map(facility), [USER; 2]);
    }
}
