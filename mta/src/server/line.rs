//! Command lines out of a stream of bytes: a pure accumulator that never holds more than one line's limit.

/// Longest command line, without its end.
pub const LIMIT: usize = 2048;

/// What a client sent up to a line feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// The line without its LF and without one CR before that.
    Complete(Vec<u8>),
    /// A line of more than [`LIMIT`] bytes, of which nothing is known any more.
    TooLong,
}

/// The line that is being read.
#[derive(Debug, Default)]
pub struct LineReader {
    /// At most one byte over the limit, for the CR.
    bytes: Vec<u8>,
    too_long: bool,
}

impl LineReader {
    /// Takes bytes: how many of them belong to this line, and the line if they complete it.
    pub fn feed(&mut self, input: &[u8]) -> (usize, Option<Line>) {
        let Some(at) = memchr::memchr(b'\n', input) else {
            self.keep(input);
            return (input.len(), None);
        };
        self.keep(input.get(..at).unwrap_or_default());
        (at.saturating_add(1), Some(self.finish()))
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LIMIT.saturating_add(1).saturating_sub(self.bytes.len());
        self.too_long |= bytes.len() > room;
        self.bytes.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    fn finish(&mut self) -> Line {
        let mut line = std::mem::take(&mut self.bytes);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if std::mem::take(&mut self.too_long) || line.len() > LIMIT {
            Line::TooLong
        } else {
            Line::Complete(line)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &[u8]) -> Option<Line> {
        LineReader::default().feed(input).1
    }

    #[test]
    fn one_carriage_return_before_the_line_feed_belongs_to_the_end() {
        assert_eq!(read(b"NOOP\r\nrest"), Some(Line::Complete(b"NOOP".to_vec())));
        assert_eq!(read(b"NOOP\n"), Some(Line::Complete(b"NOOP".to_vec())));
        assert_eq!(read(b"NOOP\r\r\n"), Some(Line::Complete(b"NOOP\r".to_vec())));
        assert_eq!(read(b"NOOP\r"), None);
    }

    #[test]
    fn a_line_is_the_same_however_it_is_cut() {
        let mut reader = LineReader::default();
        assert_eq!(reader.feed(b"MAIL "), (5, None));
        assert_eq!(reader.feed(b"X\r"), (2, None));
        assert_eq!(reader.feed(b"\nDATA"), (1, Some(Line::Complete(b"MAIL X".to_vec()))));
        assert_eq!(reader.feed(b"DATA\n"), (5, Some(Line::Complete(b"DATA".to_vec()))));
    }

    /// S4, M1: the limit is exact, and what is beyond it is not kept.
    #[test]
    fn s4_a_line_over_the_limit_is_forgotten_to_its_end() {
        let longest = [vec![b'x'; LIMIT], b"\r\n".to_vec()].concat();
        assert_eq!(read(&longest), Some(Line::Complete(vec![b'x'; LIMIT])));
        let longer = [b"y", longest.as_slice()].concat();
        assert_eq!(read(&longer), Some(Line::TooLong));

        let mut reader = LineReader::default();
        for _ in 0..1000 {
            assert_eq!(reader.feed(&[b'x'; 1000]), (1000, None));
        }
        assert!(reader.bytes.capacity() <= 2 * LIMIT + 2);
        assert_eq!(reader.feed(b"\n"), (1, Some(Line::TooLong)));
        assert_eq!(reader.feed(b"QUIT\n"), (5, Some(Line::Complete(b"QUIT".to_vec()))));
    }
}
