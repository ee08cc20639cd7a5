//! A message as SMTP wants it (RFC 5321 §2.3.8, §4.5.2): lines end in CR LF, a dot that begins one is doubled,
//! and a line with a single dot ends the message.
//!
//! CR and LF leave here only as CR LF: LF, CR LF and a CR alone all become one line break. Whatever the break
//! came from, the byte after it is looked at for a dot, so no message can hold its own end.

/// Turns a message, given in pieces of any size, into what goes over the wire.
#[derive(Debug, Default)]
pub struct Encoder {
    place: Place,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    LineStart,
    /// Like a line start; a LF here belongs to the line break that is already written.
    AfterCr,
    InLine,
}

/// The message does not end with a line break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartialLine;

impl Encoder {
    /// Appends the encoded form of the next piece to `wire`.
    pub fn encode(&mut self, piece: &[u8], wire: &mut Vec<u8>) {
        for byte in piece {
            self.place = match (self.place, byte) {
                (Place::AfterCr, b'\n') => Place::LineStart,
                (_, b'\r') => {
                    wire.extend_from_slice(b"\r\n");
                    Place::AfterCr
                }
                (_, b'\n') => {
                    wire.extend_from_slice(b"\r\n");
                    Place::LineStart
                }
                (Place::InLine, _) => {
                    wire.push(*byte);
                    Place::InLine
                }
                (Place::LineStart | Place::AfterCr, _) => {
                    if *byte == b'.' {
                        wire.push(b'.');
                    }
                    wire.push(*byte);
                    Place::InLine
                }
            };
        }
    }

    /// Appends the end of the message.
    ///
    /// # Errors
    /// The last line has no end: nothing is appended, and nothing may be, lest half a line pass for a whole one.
    pub fn finish(self, wire: &mut Vec<u8>) -> Result<(), PartialLine> {
        if self.place == Place::InLine {
            return Err(PartialLine);
        }
        wire.extend_from_slice(b".\r\n");
        Ok(())
    }
}

/// What is said about a message before it is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measure {
    /// Its size with CR LF line ends and without doubled dots (RFC 1870 §3).
    pub size: u64,
    /// Whether it has bytes above 127 (RFC 6152).
    pub has_8bit: bool,
}

impl Measure {
    /// Takes the next piece of the message into account. A line break in parts counts a byte more, which is
    /// allowed: the size is an estimate.
    pub fn add(&mut self, piece: &[u8]) {
        let breaks = piece.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count();
        let pairs = piece.windows(2).filter(|pair| *pair == b"\r\n").count();
        // Each CR or LF alone becomes two bytes; a CR LF stays as it is.
        let added = breaks.saturating_sub(pairs.saturating_mul(2));
        let length = piece.len().saturating_add(added);
        self.size = self.size.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        self.has_8bit |= !piece.is_ascii();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receive::smtpd::data::{BareCarriageReturn, Decoder, Progress};
    use proptest::prelude::*;
    use proptest::test_runner::{RngAlgorithm, TestRng};

    fn encoded(pieces: &[&[u8]]) -> Result<Vec<u8>, PartialLine> {
        let (mut encoder, mut wire) = (Encoder::default(), Vec::new());
        pieces.iter().for_each(|piece| encoder.encode(piece, &mut wire));
        encoder.finish(&mut wire).map(|()| wire)
    }

    /// What a server makes of the wire: lines up to the first that is a single dot, and what is left after it.
    fn decoded(wire: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let (mut text, mut rest) = (Vec::new(), wire);
        while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
            let (line, after) = (&rest[..end], &rest[end + 2..]);
            rest = after;
            if line == b"." {
                break;
            }
            text.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
            text.push(b'\n');
        }
        (text, rest.to_vec())
    }

    fn normalised(message: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        for (at, byte) in message.iter().enumerate() {
            match byte {
                b'\n' if at > 0 && message[at - 1] == b'\r' => {}
                b'\r' | b'\n' => text.push(b'\n'),
                other => text.push(*other),
            }
        }
        text
    }

    #[test]
    fn a_dot_after_any_line_break_is_doubled() {
        assert_eq!(encoded(&[b".\n..\na.\n"]).unwrap(), b"..\r\n...\r\na.\r\n.\r\n");
        assert_eq!(encoded(&[b"a\r.\r\n.\rb\n"]).unwrap(), b"a\r\n..\r\n..\r\nb\r\n.\r\n");
        assert_eq!(encoded(&[b"a\r", b"\n.\n"]).unwrap(), b"a\r\n..\r\n.\r\n");
    }

    #[test]
    fn carriage_returns_leave_only_in_line_breaks() {
        assert_eq!(encoded(&[b"a\rb\r\nc\n"]).unwrap(), b"a\r\nb\r\nc\r\n.\r\n");
        assert_eq!(encoded(&[b"\r\r\n\r"]).unwrap(), b"\r\n\r\n\r\n.\r\n");
    }

    #[test]
    fn a_message_without_a_final_line_break_has_no_end() {
        assert_eq!(encoded(&[b"a\nb"]), Err(PartialLine));
        assert_eq!(encoded(&[b"."]), Err(PartialLine));
        assert_eq!(encoded(&[b""]).unwrap(), b".\r\n");
    }

    #[test]
    fn a_measure_is_the_size_without_doubled_dots() {
        let mut measure = Measure::default();
        measure.add(b"a\r\n.b\nc\r");
        assert_eq!(measure, Measure { size: 10, has_8bit: false });
        measure.add(b"\xe9\n");
        assert_eq!(measure, Measure { size: 13, has_8bit: true });
    }

    fn message() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let byte = prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'.'), any::<u8>()];
        prop::collection::vec(prop::collection::vec(byte, 0..12), 0..12)
    }

    /// Texts that are sent and received in one run of the tests.
    const TEXTS: u32 = 100_000;

    /// S6: what qmail-remote sends, qmail-smtpd takes as it was, in packets of any size: 100,000 texts of random
    /// lines, among them empty ones, dots, `From ` lines, and lines of 1, 998 and a million bytes.
    #[test]
    fn s6_a_hundred_thousand_texts_are_received_as_they_were_sent() {
        let mut random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let (mut text, mut wire, mut received) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..TEXTS {
            text.clear();
            put_random_text(&mut random, number % 10_000 == 0, &mut text);
            wire.clear();
            let mut encoder = Encoder::default();
            for piece in text.chunks(1 + random.next_u32() as usize % 5000) {
                encoder.encode(piece, &mut wire);
            }
            encoder.finish(&mut wire).unwrap();
            received.clear();
            let mut decoder = Decoder::new(BareCarriageReturn::Refused, 0);
            let mut last = (0, Progress::More);
            for packet in wire.chunks(1 + random.next_u32() as usize % 1460) {
                assert_eq!(last.1, Progress::More, "text {number} has an end before its end");
                last = decoder.feed(packet, &mut received);
                assert_eq!(last.0, packet.len());
            }
            assert_eq!(last.1, Progress::Complete, "text {number}");
            assert!(received == text, "text {number}");
        }
    }

    /// A few lines of any bytes but CR, which SMTP cannot carry alone.
    fn put_random_text(random: &mut TestRng, is_long: bool, text: &mut Vec<u8>) {
        for _ in 0..random.next_u32() % 6 {
            match random.next_u32() % 12 {
                0 => text.push(b'.'),
                1 => text.extend_from_slice(b".."),
                2 => text.extend_from_slice(b"From here on "),
                3 => text.extend_from_slice(&[0; 3]),
                4 => text.extend_from_slice(&[b'.'; 998]),
                5 => text.push(b'x'),
                6 => {}
                _ => {
                    let bytes = random.next_u64().to_le_bytes();
                    text.extend(bytes.map(|byte| if matches!(byte, b'\r' | b'\n') { b'.' } else { byte }));
                }
            }
            text.push(b'\n');
        }
        if is_long {
            text.extend(std::iter::repeat_n(b'y', 1_000_000));
            text.push(b'\n');
        }
    }

    proptest! {
        #[test]
        fn s1_a_message_arrives_whole_and_ends_once(mut pieces in message()) {
            pieces.push(b"\n".to_vec());
            let wire = encoded(&pieces.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
            let (text, rest) = decoded(&wire);
            prop_assert_eq!(text, normalised(&pieces.concat()));
            prop_assert!(rest.is_empty(), "something follows the end of data");
            for (at, byte) in wire.iter().enumerate() {
                match byte {
                    b'\r' => prop_assert_eq!(wire.get(at + 1), Some(&b'\n')),
                    b'\n' => prop_assert!(at > 0 && wire[at - 1] == b'\r'),
                    _ => {}
                }
            }
        }

        #[test]
        fn where_a_message_is_cut_makes_no_difference(pieces in message()) {
            let whole = encoded(&[&pieces.concat()]);
            prop_assert_eq!(encoded(&pieces.iter().map(Vec::as_slice).collect::<Vec<_>>()), whole);
        }
    }
}
