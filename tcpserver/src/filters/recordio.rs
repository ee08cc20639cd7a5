//! `recordio` runs a program and shows all of its input and output on standard error.
//!
//! Called   `recordio program [argument ...]`.
//! Reads    fd 0, for the program.      Writes  fd 1, from the program; fd 2: a line for each line of both.
//! Runs as  anybody.   Trusts  nobody: bytes are shown as they are.
//! Exits    with the status of the program · 100 called wrongly · 111 the program cannot be run.
//! Manual   recordio(1).
//!
//! ```text
//! 5013 < HELO client.example
//! 5013 > 250 mx.exam+
//! 5013 > ple
//! 5013 < [EOF]
//! ```
//! A line that ends where a packet ends, and not in LF, is marked with `+`; others have a blank there.

use super::between;
use super::line_ends::Change;
use unix::descriptor;
use unix::failure::Failure;
use unix::process::Pid;
use unix::program::{Exit, Invocation};

/// Runs the program.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    between::run(invocation, "recordio program [ arg ... ]", |pid| {
        (Recorder { pid, arrow: "<" }, Recorder { pid, arrow: ">" })
    })
}

/// Shows bytes and leaves them as they are.
struct Recorder {
    /// The program.
    pid: Pid,
    /// `<` for its input, `>` for its output.
    arrow: &'static str,
}

impl Change for Recorder {
    fn apply(&mut self, bytes: &[u8]) -> Vec<u8> {
        descriptor::write_error_line(&[&record(&self.start(), bytes)]);
        bytes.to_vec()
    }

    fn finish(&mut self) -> Vec<u8> {
        descriptor::write_error_line(&[&self.start(), b"[EOF]"]);
        Vec::new()
    }
}

impl Recorder {
    fn start(&self) -> Vec<u8> {
        format!("{} {} ", self.pid, self.arrow).into_bytes()
    }
}

/// The lines for a packet, without the last newline.
fn record(start: &[u8], packet: &[u8]) -> Vec<u8> {
    let lines = packet.split_inclusive(|byte| *byte == b'\n').map(|line| match line.strip_suffix(b"\n") {
        Some(text) => [start, text, b" "].concat(),
        None => [start, line, b"+"].concat(),
    });
    lines.collect::<Vec<_>>().join(&b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_of_a_packet_is_a_line_and_its_end_is_marked() {
        let shown = |packet: &[u8]| String::from_utf8(record(b"7 < ", packet)).unwrap();
        assert_eq!(shown(b"a\r\n\nend"), "7 < a\r \n7 <  \n7 < end+");
        assert_eq!(shown(b"a\n"), "7 < a ");
    }
}
