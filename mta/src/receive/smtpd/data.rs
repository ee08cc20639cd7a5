//! The message after DATA: a pure decoder from what is on the wire to what is queued. RFC 5321 §4.5.2, §6.3.
//!
//! Bytes go in as they come, cut anywhere. CR LF becomes LF, a dot at the beginning of a line is taken off,
//! and CR LF `.` CR LF, nothing else, is the end. A line feed without a carriage return before it makes the
//! message unacceptable, whatever the state: programs that read it as a line end would see other lines, and
//! perhaps another message, than we do. A carriage return alone is refused for the same reason unless the
//! administrator allows it.

use crate::receive::hops::HopCounter;

/// What is done with a carriage return that no line feed follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BareCarriageReturn {
    /// The message is refused.
    #[default]
    Refused,
    /// It is data.
    Data,
}

/// How far the message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The end has not been seen.
    More,
    /// The end: what follows are commands.
    Complete,
    /// A bare line feed; the message has no meaning.
    BareLineFeed,
    /// A bare carriage return, where that is refused.
    BareCarriageReturn,
}

/// What is wrong with a message as a whole, if anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Acceptable,
    /// It has passed through too many servers.
    TooManyHops,
    /// It is larger than the limit.
    TooLarge,
}

/// Where in a line the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At its beginning.
    LineStart,
    /// Behind some of it.
    Inside,
    /// Behind a CR, which is not out yet.
    Cr,
    /// Behind a dot at the beginning, which is not out yet.
    Dot,
    /// Behind such a dot and a CR; neither is out yet.
    DotCr,
}

/// A message that is being decoded.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    bare_cr: BareCarriageReturn,
    hops: HopCounter,
    /// Bytes of the decoded message; stops at the largest number.
    size: u64,
    /// Largest size that is accepted; 0 is no limit.
    size_limit: u64,
}

impl Decoder {
    /// A decoder at the beginning of a message.
    pub fn new(bare_cr: BareCarriageReturn, size_limit: u64) -> Decoder {
        Decoder { state: State::LineStart, bare_cr, hops: HopCounter::default(), size: 0, size_limit }
    }

    /// Takes bytes from the wire and appends the message to `decoded`: how many were taken, and how far it is.
    ///
    /// All bytes are taken unless the message ends. What lies beyond the size limit is not appended.
    pub fn feed(&mut self, wire: &[u8], decoded: &mut Vec<u8>) -> (usize, Progress) {
        let mut rest = wire;
        let mut progress = Progress::More;
        while progress == Progress::More && !rest.is_empty() {
            rest = self.take_text(rest, decoded);
            let Some((&byte, after)) = rest.split_first() else { break };
            progress = self.step(byte, decoded);
            rest = after;
        }
        (wire.len().saturating_sub(rest.len()), progress)
    }

    /// Inside a line, everything up to a CR or LF is text.
    fn take_text<'a>(&mut self, wire: &'a [u8], decoded: &mut Vec<u8>) -> &'a [u8] {
        if self.state != State::Inside {
            return wire;
        }
        let length = memchr::memchr2(b'\r', b'\n', wire).unwrap_or(wire.len());
        let (text, rest) = wire.split_at(length);
        self.emit(text, decoded);
        rest
    }

    fn step(&mut self, byte: u8, decoded: &mut Vec<u8>) -> Progress {
        let next = match (self.state, byte) {
            (State::DotCr, b'\n') => return Progress::Complete,
            (State::Cr, b'\n') => {
                self.emit(b"\n", decoded);
                State::LineStart
            }
            (_, b'\n') => return Progress::BareLineFeed,
            (State::Cr | State::DotCr, _) if self.bare_cr == BareCarriageReturn::Refused => {
                return Progress::BareCarriageReturn;
            }
            (State::Dot, b'\r') => State::DotCr,
            (State::LineStart | State::Inside, b'\r') => State::Cr,
            (State::LineStart, b'.') => State::Dot,
            // A CR that is data; and in front of it, the dot is data as well.
            (State::DotCr, _) => {
                self.emit(b".\r", decoded);
                self.after_bare_cr(byte, decoded)
            }
            (State::Cr, _) => {
                self.emit(b"\r", decoded);
                self.after_bare_cr(byte, decoded)
            }
            (State::LineStart | State::Inside | State::Dot, _) => {
                self.emit(&[byte], decoded);
                State::Inside
            }
        };
        self.state = next;
        Progress::More
    }

    fn after_bare_cr(&mut self, byte: u8, decoded: &mut Vec<u8>) -> State {
        if byte == b'\r' {
            return State::Cr;
        }
        self.emit(&[byte], decoded);
        State::Inside
    }

    /// The one way out: every byte of the message is counted here.
    fn emit(&mut self, bytes: &[u8], decoded: &mut Vec<u8>) {
        self.hops.feed(bytes);
        let room = self.room();
        self.size = self.size.saturating_add(bytes.len() as u64);
        let kept = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
        decoded.extend_from_slice(bytes.get(..kept).unwrap_or(bytes));
    }

    fn room(&self) -> u64 {
        if self.size_limit == 0 { u64::MAX } else { self.size_limit.saturating_sub(self.size) }
    }

    /// What is wrong with the message that was decoded.
    pub fn verdict(&self) -> Verdict {
        if self.hops.is_looping() {
            Verdict::TooManyHops
        } else if self.size_limit != 0 && self.size > self.size_limit {
            Verdict::TooLarge
        } else {
            Verdict::Acceptable
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    /// Decodes `wire` given in pieces of these lengths, the last one repeating.
    fn decode_cut(wire: &[u8], cuts: &[usize], bare_cr: BareCarriageReturn) -> (Vec<u8>, usize, Progress) {
        let mut decoder = Decoder::new(bare_cr, 0);
        let (mut decoded, mut taken, mut progress) = (Vec::new(), 0, Progress::More);
        let mut lengths =
            cuts.iter().copied().chain(std::iter::repeat(*cuts.last().unwrap_or(&wire.len().max(1))));
        while progress == Progress::More && taken < wire.len() {
            let end = wire.len().min(taken + lengths.next().unwrap().max(1));
            let (used, now) = decoder.feed(&wire[taken..end], &mut decoded);
            taken += used;
            progress = now;
        }
        (decoded, taken, progress)
    }

    fn decode(wire: &[u8], bare_cr: BareCarriageReturn) -> (Vec<u8>, Progress) {
        let (decoded, _, progress) = decode_cut(wire, &[], bare_cr);
        (decoded, progress)
    }

    #[test]
    fn dots_at_line_starts_are_taken_off_and_line_ends_become_ours() {
        let (decoded, progress) = decode(b"..a\r\n.b\r\n...\r\n\r\nc.\r\n.\r\n", BareCarriageReturn::Refused);
        assert_eq!((decoded.as_slice(), progress), (&b".a\nb\n..\n\nc.\n"[..], Progress::Complete));
        assert_eq!(decode(b".\r\n", BareCarriageReturn::Refused), (Vec::new(), Progress::Complete));
    }

    #[test]
    fn bare_carriage_returns_are_data_where_that_is_allowed() {
        let cases: [(&[u8], &[u8]); 6] = [
            (b"a\r\r\n", b"a\r\n"),
            (b"b\rc\r\n", b"b\rc\n"),
            (b"..b\r\n", b".b\n"),
            (b".\r\r\n", b".\r\n"),
            (b".\rx\r\n", b".\rx\n"),
            (b"\r.\r\n", b"\r.\n"),
        ];
        for (wire, wanted) in cases {
            let wire = [wire, b".\r\n"].concat();
            assert_eq!(decode(&wire, BareCarriageReturn::Data), (wanted.to_vec(), Progress::Complete));
            let refused = decode(&wire, BareCarriageReturn::Refused).1;
            assert_eq!(refused == Progress::Complete, wanted == b".b\n");
        }
    }

    /// S2, S3: wherever packets are cut, the legal end ends one message, and no known smuggling sequence does.
    #[test]
    fn s3_only_the_legal_end_ends_a_message_however_it_is_cut() {
        let illegal: [&[u8]; 16] = [
            b"\n.\n",
            b"\n.\r\n",
            b"\r\n.\n",
            b"\r.\r",
            b"\r.\n",
            b"\r\n.\r",
            b"\n.\r",
            b"\r.\r\n",
            b"\0\r\n.\n",
            b"\r\n\0.\r\n",
            b"\r\n.\0\r\n",
            b"\r\r\n.\n",
            b"\r\n.\r\r\n",
            b"\r\r.\r\r\n",
            b"\n\n.\n\n",
            b"\r\n..\r\n",
        ];
        for bare_cr in [BareCarriageReturn::Refused, BareCarriageReturn::Data] {
            for sequence in illegal {
                let smuggled = [b"a", sequence, b"MAIL FROM:<x@y>\r\n"].concat();
                let whole = decode_cut(&smuggled, &[], bare_cr);
                assert_ne!(whole.2, Progress::Complete, "{sequence:?}");
                for first in 1..smuggled.len() {
                    for second in [1, 2, 3, smuggled.len()] {
                        assert_eq!(decode_cut(&smuggled, &[first, second], bare_cr), whole);
                    }
                }
            }
            let legal = b"a\r\n.\r\nMAIL FROM:<x@y>\r\n";
            for first in 1..legal.len() {
                for second in 1..legal.len() {
                    let (decoded, taken, progress) = decode_cut(legal, &[first, second], bare_cr);
                    assert_eq!((decoded.as_slice(), taken, progress), (&b"a\n"[..], 6, Progress::Complete));
                }
            }
        }
    }

    proptest! {
        /// S6: any text with whole lines, put on the wire as RFC 5321 says, comes out as it was.
        #[test]
        fn s6_what_is_sent_correctly_arrives_as_it_was(text in "([\\x00-\\x09\\x0b\\x0c\\x0e-\\xff.]{0,9}\n){0,20}", cut in 1..40_usize) {
            let text = text.into_bytes();
            let mut wire = Vec::new();
            for line in text.split_inclusive(|byte| *byte == b'\n') {
                wire.extend_from_slice(if line[0] == b'.' { b"." } else { b"" });
                wire.extend_from_slice(&line[..line.len() - 1]);
                wire.extend_from_slice(b"\r\n");
            }
            wire.extend_from_slice(b".\r\n");
            let (decoded, taken, progress) = decode_cut(&wire, &[cut], BareCarriageReturn::Refused);
            prop_assert_eq!((decoded, taken, progress), (text, wire.len(), Progress::Complete));
        }

        /// S2, M7: of any bytes, what comes out has no CR, and where they are cut makes no difference.
        #[test]
        fn s2_no_carriage_return_ever_comes_out(wire in proptest::collection::vec(
            proptest::sample::select(b"\r\n.ax\0".to_vec()), 0..40), cut in 1..8_usize) {
            let whole = decode_cut(&wire, &[], BareCarriageReturn::Refused);
            proptest::prop_assert!(!whole.0.contains(&b'\r'));
            prop_assert_eq!(decode_cut(&wire, &[cut], BareCarriageReturn::Refused), whole);
        }

        /// M7: nothing panics.
        #[test]
        fn m7_any_bytes_can_be_fed(wire in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&wire, BareCarriageReturn::Data);
        }
    }

    fn verdict(wire: &[u8], size_limit: u64) -> (Vec<u8>, Verdict) {
        let mut decoder = Decoder::new(BareCarriageReturn::Refused, size_limit);
        let mut decoded = Vec::new();
        assert_eq!(decoder.feed(wire, &mut decoded), (wire.len(), Progress::Complete));
        (decoded, decoder.verdict())
    }

    /// M3: the size is that of the decoded message, and exactly the limit is accepted.
    #[test]
    fn m3_a_message_may_be_as_large_as_the_limit() {
        assert_eq!(verdict(b"..34\r\n.\r\n", 4), (b".34\n".to_vec(), Verdict::Acceptable));
        assert_eq!(verdict(b"12345\r\n.\r\n", 4), (b"1234".to_vec(), Verdict::TooLarge));
        assert_eq!(verdict(b"12345\r\n.\r\n", 0).1, Verdict::Acceptable);
        let mut decoder = Decoder::new(BareCarriageReturn::Refused, 4);
        decoder.size = u64::MAX - 1;
        decoder.feed(b"abc", &mut Vec::new());
        assert_eq!(decoder.verdict(), Verdict::TooLarge);
    }

    /// B1: prefixes count, in any case of letters, in the header only, and not both words for one line.
    #[test]
    fn b1_a_hundred_hops_in_the_header_are_too_many() {
        let header = |line: &[u8], times| [line.repeat(times).as_slice(), b"\r\nreceived\r\n.\r\n"].concat();
        let lines: [&[u8]; 4] =
            [b"ReCeIvEd: x\r\n", b"DELIVEREDXXX\r\n", b"received\r\n :x\r\n", b"..\r\nReceived:\r\n"];
        for line in lines {
            assert_eq!(verdict(&header(line, 99), 0).1, Verdict::Acceptable);
            assert_eq!(verdict(&header(line, 100), 0).1, Verdict::TooManyHops);
        }
        for line in [&b"Receive: x\r\n"[..], b" Received: x\r\n", b"X-Received: x\r\n", b"Delivere\r\n"] {
            assert_eq!(verdict(&header(line, 200), 0).1, Verdict::Acceptable);
        }
        let body = [b"S: x\r\n\r\n", b"Received: x\r\n".repeat(200).as_slice(), b".\r\n"].concat();
        assert_eq!(verdict(&body, 0).1, Verdict::Acceptable);
    }
}
