//! A filter that changes the start of each line: it puts something before it or in its place, whatever pieces the
//! lines come in. The rest of a line passes as it comes.

use crate::filter::{self, Filter};

/// What becomes of the start of a line.
pub trait LineStart {
    /// Looks at a line from its first byte on, as far as it has come, and appends to `output` what takes the place of
    /// its start. A start that is [`Start::Undecided`] has a bounded length, and nothing was appended for it.
    fn change(&mut self, line: &[u8], output: &mut Vec<u8>) -> Start;
}

/// What was found out about the start of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// So many bytes of the line are done with.
    Done(usize),
    /// What they are depends on bytes to come.
    Undecided,
}

/// The filter that applies a rule to each line.
pub struct LineStarts<Rule> {
    rule: Rule,
    at_line_start: bool,
    /// The undecided start of a line.
    held: Vec<u8>,
}

impl<Rule: LineStart> LineStarts<Rule> {
    /// Applies this rule.
    pub fn new(rule: Rule) -> Self {
        LineStarts { rule, at_line_start: true, held: Vec::new() }
    }
}

impl<Rule: LineStart> Filter for LineStarts<Rule> {
    fn change(&mut self, input: &[u8], output: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        let joined;
        let mut rest = if held.is_empty() {
            input
        } else {
            joined = [&held, input].concat();
            &joined
        };
        while !rest.is_empty() {
            if self.at_line_start {
                match self.rule.change(rest, output) {
                    Start::Done(length) => rest = rest.get(length..).unwrap_or_default(),
                    Start::Undecided => {
                        self.held = rest.to_vec();
                        return;
                    }
                }
            }
            let (line, after) = filter::split_line(rest);
            output.extend_from_slice(line);
            self.at_line_start = line.ends_with(b"\n");
            rest = after;
        }
    }

    /// The end of the input inside a start that is undecided: who knows whether it was whole? It stays as it is.
    fn finish(&mut self, output: &mut Vec<u8>) {
        output.append(&mut self.held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Puts `<>` before a line and in the place of an `ab` that it begins with.
    struct Bracket;

    impl LineStart for Bracket {
        fn change(&mut self, line: &[u8], output: &mut Vec<u8>) -> Start {
            if line == b"a" {
                return Start::Undecided;
            }
            output.extend_from_slice(b"<>");
            Start::Done(if line.starts_with(b"ab") { 2 } else { 0 })
        }
    }

    fn changed(pieces: &[&str]) -> String {
        let mut filter = LineStarts::new(Bracket);
        let mut output = Vec::new();
        pieces.iter().for_each(|piece| filter.change(piece.as_bytes(), &mut output));
        filter.finish(&mut output);
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn only_the_start_of_a_line_is_changed_wherever_reads_end() {
        let expected = "<>c\n<>\n<>aab\n<>";
        assert_eq!(changed(&["abc\n\naab\nab"]), expected);
        assert_eq!(changed(&["a", "bc\n", "\na", "ab", "\na", "b"]), expected);
    }

    #[test]
    fn a_start_that_stays_undecided_stays_as_it_is() {
        assert_eq!(changed(&["x\na"]), "<>x\na");
        assert_eq!(changed(&["a", "", "\n"]), "<>a\n");
    }
}
