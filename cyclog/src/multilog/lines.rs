//! Bytes put together to lines, each after its label. No I/O.

use crate::label;
use unix::stamp::Stamp;

/// A part of a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// The line with its newline; or, of a longer one, the first [`LIMIT`] bytes, by which it is judged.
    Start(&'a [u8]),
    /// What comes after them, the newline included. In as many pieces as it came.
    Rest(&'a [u8]),
}

/// Puts lines together.
pub struct Lines<Clock> {
    /// Tells the time, if lines get labels.
    clock: Option<Clock>,
    state: State,
    /// The start of the line that is being collected, with its label.
    start: Vec<u8>,
}

#[derive(PartialEq, Eq)]
enum State {
    /// The next byte starts a line.
    Between,
    /// The start of a line waits for more.
    Collecting,
    /// The start was long enough, and the rest passes.
    Passing,
}

impl<Clock: FnMut() -> Stamp> Lines<Clock> {
    /// Lines that are labelled if there is a clock.
    pub fn new(clock: Option<Clock>) -> Self {
        Lines { clock, state: State::Between, start: Vec::with_capacity(LIMIT) }
    }

    /// Gives the pieces that these bytes make.
    pub fn each(&mut self, input: &[u8], mut give: impl FnMut(Piece<'_>)) {
        let mut rest = input;
        while !rest.is_empty() {
            let newline = memchr::memchr(b'\n', rest);
            let length = newline.map_or(rest.len(), |at| at.saturating_add(1));
            let (part, after) = rest.split_at_checked(length).unwrap_or((rest, b""));
            self.take(part, &mut give);
            rest = after;
        }
    }

    /// The input has ended: a last line without newline gets one.
    pub fn finish(&mut self, give: impl FnMut(Piece<'_>)) {
        if self.state != State::Between {
            self.each(b"\n", give);
        }
    }

    /// Takes a part of one line, of which only the last byte can be a newline.
    fn take(&mut self, part: &[u8], give: &mut impl FnMut(Piece<'_>)) {
        let is_end = part.last() == Some(&b'\n');
        if self.state == State::Between {
            if is_end && part.len() <= LIMIT && self.clock.is_none() {
                return give(Piece::Start(part));
            }
            self.begin();
        }
        let mut rest = part;
        if self.state == State::Collecting {
            let text = if is_end { part.len().saturating_sub(1) } else { part.len() };
            let room = LIMIT.saturating_sub(self.start.len());
            if text < room || text == room && is_end {
                self.start.extend_from_slice(part);
                if is_end {
                    give(Piece::Start(&self.start));
                    self.state = State::Between;
                }
                return;
            }
            let (fitting, after) = part.split_at_checked(room).unwrap_or((part, b""));
            self.start.extend_from_slice(fitting);
            give(Piece::Start(&self.start));
            self.state = State::Passing;
            rest = after;
        }
        if !rest.is_empty() {
            give(Piece::Rest(rest));
        }
        if is_end {
            self.state = State::Between;
        }
    }

    fn begin(&mut self) {
        self.state = State::Collecting;
        self.start.clear();
        if let Some(clock) = &mut self.clock {
            self.start.extend_from_slice(&label::encode(clock()));
            self.start.push(b' ');
        }
    }
}

/// Bytes of a line by which it is judged, its label included and its newline not.
pub const LIMIT: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{ProptestConfig, proptest};

    /// The pieces that some reads make: (the start, everything).
    fn lines(labels: bool, reads: &[&[u8]]) -> Vec<(String, String)> {
        let clock = || Stamp { seconds: 0x7_f6, nanoseconds: 0 };
        let mut lines = Lines::new(labels.then_some(clock));
        let mut seen: Vec<(String, String)> = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut note = |piece: Piece<'_>| match piece {
            Piece::Start(bytes) => seen.push((text(bytes), text(bytes))),
            Piece::Rest(bytes) => seen.last_mut().unwrap().1.push_str(&text(bytes)),
        };
        reads.iter().for_each(|read| lines.each(read, &mut note));
        lines.finish(&mut note);
        seen
    }

    fn starts(labels: bool, reads: &[&[u8]]) -> Vec<String> {
        lines(labels, reads).into_iter().map(|(start, _)| start).collect()
    }

    #[test]
    fn lines_are_put_together_over_reads_and_a_partial_last_one_gets_a_newline() {
        assert_eq!(starts(false, &[b"a", b"b\n\nc\nd", b"e"]), ["ab\n", "\n", "c\n", "de\n"]);
        let label = "@4000000000000800000001f4 ";
        assert_eq!(
            starts(true, &[b"a", b"b\n\nc"]),
            [label.to_owned() + "ab\n", label.to_owned() + "\n", label.to_owned() + "c\n"]
        );
        assert!(starts(true, &[]).is_empty());
    }

    #[test]
    fn a_longer_line_is_judged_by_its_first_1000_bytes() {
        let long = "x".repeat(1001);
        for (labels, fitting) in [(false, 1000), (true, 974)] {
            for length in [fitting - 1, fitting, fitting + 1] {
                let seen = lines(labels, &[&long.as_bytes()[..length]]);
                assert_eq!(seen.len(), 1);
                assert_eq!(seen[0].0.trim_end().len(), (1000 - fitting + length).min(1000));
                assert_eq!(seen[0].1.len(), 1000 - fitting + length + 1);
                assert!(seen[0].1.ends_with("x\n"));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn where_reads_end_makes_no_difference(lengths in proptest::collection::vec(0_usize..1100, 0..6), at in 0_usize..4000) {
            let text: String = lengths.iter().map(|length| "x".repeat(*length) + "\n").collect();
            let (head, tail) = text.as_bytes().split_at(at.min(text.len()));
            for labels in [false, true] {
                let whole = lines(labels, &[text.as_bytes()]);
                let strip = |lines: Vec<(String, String)>| -> Vec<(String, String)> {
                    lines.into_iter().map(|(start, all)| (start.trim_end().to_owned(), all)).collect()
                };
                assert_eq!(strip(lines(labels, &[head, tail])), strip(whole));
            }
            let all: String = lines(false, &[head, tail]).into_iter().map(|(_, all)| all).collect();
            assert_eq!(all, text);
        }
    }
}
