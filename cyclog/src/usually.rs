//! `usually` passes a log on and shows somebody the lines that are not usual.
//!
//! Reads    fd 0: lines; the pattern file, at the start and again after HUP.
//! Writes   fd 1: the input, unchanged and at once.   fd 2: the lines that match no pattern, cut at 500 bytes.
//! Runs as  anybody.   Trusts  the pattern file; nobody for lines.
//! Exits    0 at the end of the input · 100 misuse · 111 the pattern file, the input or the output fails.
//! Manual   usually(1).    Next in the flow: cyclog.
//!
//! A pattern file that cannot be read after HUP gives a warning, and the old patterns stay: the original died,
//! and the log with it. Trouble with standard error is not trouble.

use crate::filter::read_some;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use unix::descriptor;
use unix::failure::{Failure, because};
use unix::file;
use unix::program::{Exit, Invocation};
use unix::signal::{self, Signal, Signals};

/// Runs `usually patternfile`. Further arguments are ignored.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let name = invocation.arguments.first().ok_or_else(|| Failure::usage("usually file"))?;
    signal::ignore(Signal::SIGPIPE);
    let mut usual = Usual::read(invocation, name)?;
    let mut lines = Lines::default();
    let mut buffer = vec![0; READ_SIZE];
    loop {
        let length = read_some(&mut buffer)
            .map_err(|error| Failure::temporary("unable to read input").because(&error))?;
        let input = buffer.get(..length).unwrap_or_default();
        if input.is_empty() {
            return Ok(Exit::SUCCESS);
        }
        descriptor::output()
            .write_all(input)
            .map_err(|error| Failure::temporary("unable to write output").because(&error))?;
        usual.reread_if_told();
        lines.each(input, |line| {
            if !usual.covers(line) {
                descriptor::write_error_line(&[line]);
            }
        });
    }
}

/// The patterns of the file, read again after HUP.
struct Usual<'a> {
    invocation: &'a Invocation,
    file: &'a Path,
    patterns: Vec<Pattern>,
    signals: Signals,
}

impl<'a> Usual<'a> {
    fn read(invocation: &'a Invocation, name: &'a [u8]) -> Result<Usual<'a>, Failure> {
        let signals = Signals::hold(&[Signal::SIGHUP])
            .map_err(|error| Failure::temporary("unable to hold signals").because(&error))?;
        let file = Path::new(OsStr::from_bytes(name));
        let patterns = read_patterns(file)
            .map_err(|error| Failure::temporary([b"unable to read ", name].concat()).because(&error))?;
        Ok(Usual { invocation, file, patterns, signals })
    }

    fn reread_if_told(&mut self) {
        if self.signals.take(Signal::SIGHUP) {
            match read_patterns(self.file) {
                Ok(patterns) => self.patterns = patterns,
                Err(error) => self.warn(&error),
            }
        }
    }

    fn covers(&self, line: &[u8]) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(line))
    }

    fn warn(&self, error: &io::Error) {
        let text =
            [b"unable to read ", self.file.as_os_str().as_bytes(), b", keeping the old patterns"].concat();
        self.invocation.warn(because(text, error));
    }
}

/// One pattern a line; a last line without newline counts. The empty pattern is always there.
fn read_patterns(file: &Path) -> io::Result<Vec<Pattern>> {
    let text = file::read_if_present(file)?.ok_or(io::ErrorKind::NotFound)?;
    Ok(text.split(|byte| *byte == b'\n').chain([&b""[..]]).map(Pattern::parse).collect())
}

/// What a whole line is compared with.
struct Pattern(Vec<Part>);

#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// This byte.
    Byte(u8),
    /// `*` and this byte: everything up to and including the next such byte.
    Through(u8),
    /// `*` at the end: everything.
    Anything,
}

impl Pattern {
    fn parse(text: &[u8]) -> Pattern {
        let mut parts = Vec::with_capacity(text.len());
        let mut bytes = text.iter();
        while let Some(byte) = bytes.next() {
            parts.push(match (*byte, bytes.as_slice().first()) {
                (b'*', None) => Part::Anything,
                (b'*', Some(end)) => {
                    bytes.next();
                    Part::Through(*end)
                }
                (byte, _) => Part::Byte(byte),
            });
        }
        Pattern(parts)
    }

    /// Whether the pattern fits the whole line. A `*` takes as little as it can and never takes more later.
    fn matches(&self, line: &[u8]) -> bool {
        let mut rest = line;
        for part in &self.0 {
            let taken = match part {
                Part::Byte(byte) if rest.first() == Some(byte) => 1,
                Part::Byte(_) => return false,
                Part::Through(end) => match memchr::memchr(*end, rest) {
                    Some(at) => at.saturating_add(1),
                    None => return false,
                },
                Part::Anything => return true,
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
        rest.is_empty()
    }
}

/// Puts complete lines together, of which it keeps the first [`LINE_LIMIT`] bytes.
#[derive(Default)]
struct Lines {
    start: Vec<u8>,
}

impl Lines {
    /// Calls `report` with each line that `input` completes, without its newline. A line that reaches the limit
    /// is its first bytes and `...`, and is compared as that.
    fn each(&mut self, input: &[u8], mut report: impl FnMut(&[u8])) {
        for piece in input.split_inclusive(|byte| *byte == b'\n') {
            let (text, complete) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            let room = LINE_LIMIT.saturating_sub(self.start.len());
            self.start.extend_from_slice(text.get(..room).unwrap_or(text));
            if complete {
                if self.start.len() >= LINE_LIMIT {
                    self.start.extend_from_slice(b"...");
                }
                report(&self.start);
                self.start.clear();
            }
        }
    }
}

/// The size of a pipe on Linux: one read can empty it.
const READ_SIZE: usize = 64 * 1024;
/// Bytes of a line that are compared and shown.
const LINE_LIMIT: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, line: &str) -> bool {
        Pattern::parse(pattern.as_bytes()).matches(line.as_bytes())
    }

    fn lines(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut lines = Lines::default();
        let mut seen = Vec::new();
        pieces.iter().for_each(|piece| lines.each(piece, |line| seen.push(line.to_vec())));
        seen
    }

    #[test]
    fn the_whole_line_must_match() {
        assert!(matches("abc", "abc"));
        assert!(!matches("abc", "abcd"));
        assert!(!matches("abc", "ab"));
        assert!(matches("", ""));
        assert!(!matches("", "a"));
    }

    #[test]
    fn a_star_takes_the_shortest_run_and_never_goes_back() {
        assert!(matches("ab*cd*e", "abxcdye"));
        assert!(!matches("ab*cd*e", "abccde"));
        assert!(matches("*: status: *", "17: status: local 0/10"));
        assert!(matches("*", ""));
        assert!(matches("a*", "a"));
        assert!(!matches("*a", "aa"));
    }

    #[test]
    fn a_star_after_a_star_is_the_byte_where_the_first_ends() {
        assert!(matches("**", "ab*"));
        assert!(!matches("**", "ab"));
        assert!(matches("***", "ab*cd"));
    }

    #[test]
    fn a_line_of_500_bytes_gets_dots_and_one_of_499_does_not() {
        let long = [b'x'; 501];
        for (length, shown) in [(499, 499), (500, 503), (501, 503)] {
            let seen = lines(&[&long[..length], b"\n"]);
            assert_eq!(seen[0].len(), shown);
            assert_eq!(seen[0].ends_with(b"..."), length >= 500);
        }
    }

    #[test]
    fn lines_are_put_together_over_reads_and_a_partial_last_one_is_not_reported() {
        assert_eq!(lines(&[b"a", b"b\n\nc\nd", b"e"]), [&b"ab"[..], b"", b"c"]);
    }
}
