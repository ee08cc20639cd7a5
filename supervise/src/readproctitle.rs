//! `readproctitle` shows the end of what it reads where `ps` shows its last argument.
//!
//! Reads    fd 0.    Writes  its own command line: a log that needs no disk and never fills one.
//! Runs as  anybody.    Trusts  nobody.
//! Exits    0 end of input · 100 the last argument has no room · 111 the input cannot be read.
//! Manual   readproctitle(8).

use std::io::{self, Read};
use unix::descriptor;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::title::LastArgument;

/// The first bytes are dots for ever: something came before what is shown.
const DOTS: usize = 3;
/// Less room would show one byte at most.
const SMALLEST: usize = 5;

/// Runs `readproctitle`. It says nothing itself; nobody reads its standard error.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    if invocation.arguments.last().is_none_or(|last| last.len() < SMALLEST) {
        return Err(Failure::silent(Exit::PERMANENT));
    }
    let place = LastArgument::take().ok_or_else(|| Failure::silent(Exit::TEMPORARY))?;
    let mut shown = Shown::new(place.length());
    let mut buffer = [0; 1024];
    loop {
        place.show(&shown.bytes);
        let length = match descriptor::input().read(&mut buffer) {
            Ok(0) => return Ok(Exit::SUCCESS),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return Err(Failure::silent(Exit::TEMPORARY)),
        };
        shown.push(buffer.get(..length).expect("read() fills no more than the buffer"));
    }
}

/// The bytes that are shown: dots, then the last of the input.
struct Shown {
    bytes: Vec<u8>,
}

impl Shown {
    fn new(length: usize) -> Shown {
        Shown { bytes: vec![b'.'; length] }
    }

    /// Moves what is shown to the left. A NUL would end the argument, and is left out.
    fn push(&mut self, input: &[u8]) {
        let length = self.bytes.len();
        self.bytes.extend(input.iter().filter(|byte| **byte != 0));
        let end = DOTS.saturating_add(self.bytes.len().saturating_sub(length));
        self.bytes.drain(DOTS..end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_input_is_shown_behind_three_dots() {
        let mut shown = Shown::new(8);
        assert_eq!(shown.bytes, b"........");
        shown.push(b"ab\0");
        assert_eq!(shown.bytes, b"......ab");
        shown.push(b"cdefghij\n");
        assert_eq!(shown.bytes, b"...ghij\n");
    }
}
