//! A message as POP3 sends it: a pure encoder. RFC 1939 §3, §7 (TOP).
//!
//! LF becomes CR LF, a dot at the beginning of a line gets another one, a last line without LF gets its end.
//! Then comes an empty line, as qmail-pop3d has always sent it, and the dot that ends everything. A CR of the
//! message is data like any other byte: whatever it stands beside, CR LF `.` CR LF is sent once, at the end.

/// A message that is being sent.
#[derive(Debug)]
pub struct Encoder {
    part: Part,
    line: Line,
    /// How many lines of the body are wanted, if not all.
    wanted: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Header,
    Body,
}

/// What the line has so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Nothing,
    /// One CR. Where lines are kept with CR LF that is an empty line.
    Cr,
    Something,
}

impl Encoder {
    /// An encoder for the header, an empty line, and so many lines of the body, or all.
    pub fn new(wanted: Option<u64>) -> Encoder {
        Encoder { part: Part::Header, line: Line::Nothing, wanted }
    }

    /// Takes some of the message and appends what is sent of it to `wire`. Whether more is wanted.
    pub fn feed(&mut self, text: &[u8], wire: &mut Vec<u8>) -> bool {
        for piece in text.split_inclusive(|byte| *byte == b'\n') {
            if self.is_satisfied() {
                return false;
            }
            if self.line == Line::Nothing && piece.starts_with(b".") {
                wire.push(b'.');
            }
            match piece.strip_suffix(b"\n") {
                None => {
                    wire.extend_from_slice(piece);
                    self.add(piece);
                }
                Some(content) => {
                    wire.extend_from_slice(content);
                    wire.extend_from_slice(b"\r\n");
                    self.add(content);
                    self.end_line();
                }
            }
        }
        !self.is_satisfied()
    }

    /// Appends the end.
    pub fn finish(self, wire: &mut Vec<u8>) {
        if self.line != Line::Nothing {
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b"\r\n.\r\n");
    }

    fn is_satisfied(&self) -> bool {
        self.part == Part::Body && self.line == Line::Nothing && self.wanted == Some(0)
    }

    fn add(&mut self, content: &[u8]) {
        self.line = match (self.line, content) {
            (line, b"") => line,
            (Line::Nothing, b"\r") => Line::Cr,
            _ => Line::Something,
        };
    }

    fn end_line(&mut self) {
        let line = std::mem::replace(&mut self.line, Line::Nothing);
        match self.part {
            Part::Header if line != Line::Something => self.part = Part::Body,
            Part::Header => {}
            Part::Body => self.wanted = self.wanted.map(|lines| lines.saturating_sub(1)),
        }
    }
}

/// A whole message as it is sent, given to the encoder in pieces of at most `piece` bytes. What a fuzzer calls.
pub fn encode_all(text: &[u8], wanted: Option<u64>, piece: usize) -> Vec<u8> {
    let mut encoder = Encoder::new(wanted);
    let mut wire = Vec::new();
    for piece in text.chunks(piece.max(1)) {
        if !encoder.feed(piece, &mut wire) {
            break;
        }
    }
    encoder.finish(&mut wire);
    wire
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{Just, any, prop_assert, prop_assert_eq, proptest};

    fn encode(text: &[u8], wanted: Option<u64>) -> String {
        String::from_utf8(encode_all(text, wanted, usize::MAX)).unwrap()
    }

    #[test]
    fn lines_dots_and_the_end_are_as_the_protocol_wants_them() {
        assert_eq!(encode(b"S: x\n\n.a\n..b\n.\n", None), "S: x\r\n\r\n..a\r\n...b\r\n..\r\n\r\n.\r\n");
        assert_eq!(encode(b"S: x\n\nlast", None), "S: x\r\n\r\nlast\r\n\r\n.\r\n");
        assert_eq!(encode(b"", None), "\r\n.\r\n");
        assert_eq!(encode(b".", None), "..\r\n\r\n.\r\n");
        assert_eq!(encode(b"\r.\r\n.\r\n", None), "\r.\r\r\n..\r\r\n\r\n.\r\n");
    }

    #[test]
    fn top_counts_body_lines() {
        let text = b"S: x\nT: y\n\n1\n2\n\n4\n";
        assert_eq!(encode(text, Some(0)), "S: x\r\nT: y\r\n\r\n\r\n.\r\n");
        assert_eq!(encode(text, Some(2)), "S: x\r\nT: y\r\n\r\n1\r\n2\r\n\r\n.\r\n");
        assert_eq!(encode(text, Some(4)), encode(text, None));
        assert_eq!(encode(text, Some(u64::MAX)), encode(text, None));
        assert_eq!(encode(b"no body", Some(0)), "no body\r\n\r\n.\r\n");
    }

    #[test]
    fn top_finds_the_body_of_a_message_kept_with_cr_lf() {
        assert_eq!(encode(b"S: x\r\n\r\n1\r\n2\r\n", Some(1)), "S: x\r\r\n\r\r\n1\r\r\n\r\n.\r\n");
    }

    /// A client: what it makes of the bytes, and what it leaves for the next command.
    fn receive(wire: &[u8]) -> Option<(Vec<u8>, &[u8])> {
        let (mut text, mut rest) = (Vec::new(), wire);
        loop {
            let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
            let (line, after) = (&rest[..end], &rest[end + 2..]);
            if line == b"." {
                return Some((text, after));
            }
            text.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
            text.push(b'\n');
            rest = after;
        }
    }

    fn mail() -> impl proptest::strategy::Strategy<Value = Vec<u8>> {
        let byte = proptest::prop_oneof![Just(b'\n'), Just(b'\r'), Just(b'.'), Just(b'a'), any::<u8>()];
        proptest::collection::vec(byte, 0..80)
    }

    proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2000))]

        /// S1 for POP3: the client gets the message, its last line ended, and an empty line; and one end.
        #[test]
        fn s1_any_message_arrives_with_one_end(text in mail(), piece in 1_usize..20) {
            let wire = encode_all(&text, None, piece);
            let mut expected = text.clone();
            if !text.is_empty() && !text.ends_with(b"\n") {
                expected.push(b'\n');
            }
            expected.push(b'\n');
            prop_assert_eq!(receive(&wire), Some((expected, &b""[..])));
            let bare = wire.iter().enumerate().filter(|(at, byte)| **byte == b'\n' && (*at == 0 || wire[at - 1] != b'\r'));
            prop_assert!(bare.count() == 0);
        }

        #[test]
        fn top_is_a_beginning_of_the_whole_with_one_end(text in mail(), wanted in 0_u64..5, piece in 1_usize..20) {
            let (top, _) = receive(&encode_all(&text, Some(wanted), piece)).unwrap();
            let (whole, _) = receive(&encode_all(&text, None, piece)).unwrap();
            let top = top.strip_suffix(b"\n").unwrap();
            prop_assert!(whole.starts_with(top));
            prop_assert_eq!(encode_all(&text, Some(wanted), piece), encode_all(&text, Some(wanted), 1));
        }
    }
}
