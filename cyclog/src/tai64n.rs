//! `tai64n` puts a TAI64N label before each line.
//!
//! Reads    fd 0: lines.      Writes  fd 1: the same lines, each after `@`, 24 hexadecimal digits and a space.
//! Runs as  anybody.   Trusts  nobody: bytes pass unchanged, and memory does not grow with them.
//! Exits    0 at the end of the input · 111 silently when fd 0 or fd 1 fails.
//! Manual   tai64n(8).    tai64nlocal makes the labels readable.

use crate::filter;
use crate::label;
use crate::line_start::{LineStart, LineStarts, Start};
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::stamp::Stamp;

/// Runs `tai64n`. Arguments are ignored.
pub fn main(_: &Invocation) -> Result<Exit, Failure> {
    filter::run_strictly(&mut LineStarts::new(Stamper { clock: Stamp::now }))
}

/// Puts a label before the first byte of each line. A last line without its newline stays one.
struct Stamper<Clock> {
    clock: Clock,
}

impl<Clock: FnMut() -> Stamp> LineStart for Stamper<Clock> {
    fn change(&mut self, _: &[u8], output: &mut Vec<u8>) -> Start {
        output.extend_from_slice(&label::encode((self.clock)()));
        output.push(b' ');
        Start::Done(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Filter;

    fn stamped(pieces: &[&[u8]]) -> String {
        let mut seconds = 0x35;
        let clock = || {
            seconds += 1;
            Stamp { seconds, nanoseconds: 0 }
        };
        let mut stamper = LineStarts::new(Stamper { clock });
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
