//! `tai64n` puts a TAI64N label before each line.
//!
//! Reads    fd 0: lines.      Writes  fd 1: the same lines, each after `@`, 24 hexadecimal digits and a space.
//! Runs as  anybody.   Trusts  nobody: bytes pass unchanged, and memory does not grow with them.
//! Exits    0 at the end of the input · 111 silently when fd 0 or fd 1 fails.
//! Manual   tai64n(8).    tai64nlocal makes the labels readable.

use crate::filter::{self, Filter};
use crate::label;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::stamp::Stamp;

/// Runs `tai64n`. Arguments are ignored.
pub fn main(_: &Invocation) -> Result<Exit, Failure> {
    filter::run_strictly(&mut Stamper { clock: Stamp::now, at_line_start: true })
}

/// Puts a label before the first byte of each line. A last line without its newline stays one.
struct Stamper<Clock> {
    clock: Clock,
    at_line_start: bool,
}

impl<Clock: FnMut() -> Stamp> Filter for Stamper<Clock> {
    fn change(&mut self, input: &[u8], output: &mut Vec<u8>) {
        let mut rest = input;
        while !rest.is_empty() {
            if self.at_line_start {
                output.extend_from_slice(&label::encode((self.clock)()));
                output.push(b' ');
            }
            let (line, after) = filter::split_line(rest);
            output.extend_from_slice(line);
            self.at_line_start = line.ends_with(b"\n");
            rest = after;
        }
    }

    fn finish(&mut self, _: &mut Vec<u8>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamped(pieces: &[&[u8]]) -> String {
        let mut seconds = 0x35;
        let clock = || {
            seconds += 1;
            Stamp { seconds, nanoseconds: 0 }
        };
        let mut stamper = Stamper { clock, at_line_start: true };
        let mut output = Vec::new();
        pieces.iter().for_each(|piece| stamper.change(piece, &mut output));
        stamper.finish(&mut output);
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn each_line_gets_the_label_of_its_first_byte_wherever_reads_end() {
        let expected =
            "@4000000000000040000001f4 one\n@4000000000000041000001f4 \n@4000000000000042000001f4 end";
        assert_eq!(stamped(&[b"one\n\nend"]), expected);
        assert_eq!(stamped(&[b"on", b"e\n", b"\n", b"e", b"nd"]), expected);
        assert_eq!(stamped(&[]), "");
    }
}
