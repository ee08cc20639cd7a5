//! What a client sends for one message, QMTP: a pure decoder. Three netstrings,
//!
//! ```text
//! message        a byte that says how lines end (LF, or CR for CR LF), then the lines
//! sender
//! recipients     a netstring for each
//! ```
//!
//! Bytes go in as they come, cut anywhere. Whatever is announced, nothing is kept but one address.

use crate::receive::envelope_address::{AddressReader, Unacceptable};
use crate::receive::netstring::{self, Length, Malformed, Reader, Token};

/// An address that was read, or why it is not accepted.
pub type Address = Result<Vec<u8>, Unacceptable>;

/// How far the request has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The bytes that were taken have completed nothing.
    More,
    /// The message begins. Its size in bytes, if it comes as it will be queued.
    Begun(Option<u64>),
    /// The message is over, and so is the sender's address.
    Sender(Address),
    /// A recipient.
    Recipient(Address),
    /// The end: what follows is another request.
    Complete,
}

/// A request that is being decoded.
#[derive(Debug, Default)]
pub struct Decoder {
    part: Part,
    /// Reads the netstring of the part.
    reader: Reader,
    address: AddressReader,
}

#[derive(Debug, Default)]
enum Part {
    #[default]
    MessageLength,
    /// Before the byte that says how lines end. The message has so many bytes with it.
    LineEnds(u64),
    Message(LineEnds),
    Sender,
    RecipientsLength(Length),
    /// So many bytes of the recipients are left.
    Recipients(u64),
}

#[derive(Debug)]
enum LineEnds {
    Lf,
    /// A CR may be waiting for what follows it.
    CrLf {
        held_cr: bool,
    },
}

impl Decoder {
    /// Takes bytes from the wire and appends what they have of the message to `text`: how many were taken, and
    /// how far the request is. To be called again with the rest.
    ///
    /// # Errors
    /// The bytes are not this protocol.
    pub fn feed(&mut self, wire: &[u8], text: &mut Vec<u8>) -> Result<(usize, Step), Malformed> {
        match &mut self.part {
            Part::MessageLength => self.message_length(wire),
            Part::LineEnds(length) => {
                let length = *length;
                self.line_ends(length, wire)
            }
            Part::Message(_) => self.message(wire, text),
            Part::Sender => self.sender(wire),
            Part::RecipientsLength(length) => {
                let Some(byte) = wire.first() else { return Ok((0, Step::More)) };
                if let Some(length) = length.feed(*byte)? {
                    self.part = Part::Recipients(length);
                }
                Ok((1, Step::More))
            }
            Part::Recipients(0) => self.end_of_recipients(wire),
            Part::Recipients(left) => {
                let left = *left;
                self.recipient(left, wire)
            }
        }
    }

    fn message_length(&mut self, wire: &[u8]) -> Result<(usize, Step), Malformed> {
        let (used, token) = self.reader.feed(wire)?;
        if let Token::Begin(length) = token {
            self.part = Part::LineEnds(length);
        }
        Ok((used, Step::More))
    }

    fn line_ends(&mut self, length: u64, wire: &[u8]) -> Result<(usize, Step), Malformed> {
        // An empty message has no such byte.
        let size = length.checked_sub(1).ok_or(Malformed::Violation)?;
        let (used, token) = self.reader.feed(netstring::within(wire, 1))?;
        let step = match token {
            Token::Contents(b"\n") => {
                self.part = Part::Message(LineEnds::Lf);
                Step::Begun(Some(size))
            }
            Token::Contents(b"\r") => {
                self.part = Part::Message(LineEnds::CrLf { held_cr: false });
                Step::Begun(None)
            }
            Token::Contents(_) => return Err(Malformed::Violation),
            _ => Step::More,
        };
        Ok((used, step))
    }

    fn message(&mut self, wire: &[u8], text: &mut Vec<u8>) -> Result<(usize, Step), Malformed> {
        let (used, token) = self.reader.feed(wire)?;
        let Part::Message(line_ends) = &mut self.part else { return Ok((used, Step::More)) };
        match token {
            Token::Contents(bytes) => line_ends.decode(bytes, text),
            Token::End => {
                line_ends.finish(text);
                self.part = Part::Sender;
            }
            Token::More | Token::Begin(_) => {}
        }
        Ok((used, Step::More))
    }

    fn sender(&mut self, wire: &[u8]) -> Result<(usize, Step), Malformed> {
        let (used, address) = self.read_address(wire)?;
        let Some(address) = address else { return Ok((used, Step::More)) };
        self.part = Part::RecipientsLength(Length::default());
        Ok((used, Step::Sender(address)))
    }

    fn recipient(&mut self, left: u64, wire: &[u8]) -> Result<(usize, Step), Malformed> {
        let (used, address) = self.read_address(netstring::within(wire, left))?;
        let left = left.saturating_sub(used as u64);
        self.part = Part::Recipients(left);
        if !self.reader.fits(left) {
            return Err(Malformed::Violation);
        }
        Ok((used, address.map_or(Step::More, Step::Recipient)))
    }

    fn read_address(&mut self, wire: &[u8]) -> Result<(usize, Option<Address>), Malformed> {
        let (used, token) = self.reader.feed(wire)?;
        match token {
            Token::Contents(bytes) => self.address.feed(bytes),
            Token::End => return Ok((used, Some(self.address.finish()))),
            Token::More | Token::Begin(_) => {}
        }
        Ok((used, None))
    }

    fn end_of_recipients(&mut self, wire: &[u8]) -> Result<(usize, Step), Malformed> {
        match wire.first() {
            None => Ok((0, Step::More)),
            Some(b',') => {
                *self = Decoder::default();
                Ok((1, Step::Complete))
            }
            Some(_) => Err(Malformed::Violation),
        }
    }
}

impl LineEnds {
    /// CR LF becomes LF; every other CR is data.
    fn decode(&mut self, bytes: &[u8], text: &mut Vec<u8>) {
        let LineEnds::CrLf { held_cr } = self else { return text.extend_from_slice(bytes) };
        let mut rest = bytes;
        while let Some(&first) = rest.first() {
            if std::mem::take(held_cr) && first != b'\n' {
                text.push(b'\r');
            }
            let plain = memchr::memchr(b'\r', rest).unwrap_or(rest.len());
            text.extend_from_slice(rest.get(..plain).unwrap_or(rest));
            *held_cr = plain < rest.len();
            rest = rest.get(plain.saturating_add(1)..).unwrap_or_default();
        }
    }

    fn finish(&mut self, text: &mut Vec<u8>) {
        if let LineEnds::CrLf { held_cr: true } = self {
            text.push(b'\r');
        }
    }
}

/// What all bytes of a connection say: the messages, the steps, and why the rest is not understood, if it is not.
/// They are given to the decoder in pieces of at most `piece` bytes. What a fuzzer calls.
pub fn decode_all(wire: &[u8], piece: usize) -> (Vec<u8>, Vec<Step>, Option<Malformed>) {
    let (mut decoder, mut text, mut steps) = (Decoder::default(), Vec::new(), Vec::new());
    for mut rest in wire.chunks(piece.max(1)) {
        while !rest.is_empty() {
            match decoder.feed(rest, &mut text) {
                Ok((used, step)) => {
                    rest = rest.get(used..).unwrap_or_default();
                    if step != Step::More {
                        steps.push(step);
                    }
                }
                Err(malformed) => return (text, steps, Some(malformed)),
            }
        }
    }
    (text, steps, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{Just, any, prop_assert_eq, proptest};

    fn good(address: &str) -> Address {
        Ok(address.as_bytes().to_vec())
    }

    /// A message alone, with whatever is right around it.
    fn message(contents: &[u8]) -> Vec<u8> {
        let wire = [netstring::encode(contents), b"0:,0:,".to_vec()].concat();
        let (text, steps, malformed) = decode_all(&wire, 3);
        assert_eq!((steps.len(), malformed), (3, None));
        text
    }

    #[test]
    fn requests_follow_one_another() {
        let wire = b"5:\nm\n\n\n,3:s@t,10:1:a,3:b@c,,2:\rx,0:,0:,";
        let (text, steps, malformed) = decode_all(wire, 1000);
        assert_eq!((text.as_slice(), malformed), (&b"m\n\n\nx"[..], None));
        let expected = [
            Step::Begun(Some(4)),
            Step::Sender(good("s@t")),
            Step::Recipient(good("a")),
            Step::Recipient(good("b@c")),
            Step::Complete,
            Step::Begun(None),
            Step::Sender(good("")),
            Step::Complete,
        ];
        assert_eq!(steps, expected);
    }

    #[test]
    fn only_cr_lf_becomes_a_line_end_and_only_where_the_first_byte_says_so() {
        assert_eq!(message(b"\ra\r\nb\r\r\nc\rd\ne\r"), b"a\nb\r\nc\rd\ne\r");
        assert_eq!(message(b"\na\r\nb\r"), b"a\r\nb\r");
        assert_eq!(message(b"\r"), b"");
    }

    #[test]
    fn what_is_not_the_protocol_is_refused() {
        for wire in [
            &b"hello"[..],
            b"0:,3:s@t,0:,",
            b"2:xy,",
            b"2:\nyz",
            b"2:\ny,3:abcd",
            b"2:\ny,0:,4:9:a,,",
            b"2:\ny,0:,4:1:a;,",
            b"2:\ny,0:,3:1:a,,",
            b"2:\ny,0:,5:1:a,,,",
            b"2:\ny,0:,3:999,",
            b"2:\ny,0:,4:1:a,;",
            b"2:\ny,0:,-",
        ] {
            let (_, steps, malformed) = decode_all(wire, 1000);
            assert_eq!(malformed, Some(Malformed::Violation), "{:?}", String::from_utf8_lossy(wire));
            assert!(!steps.contains(&Step::Complete));
        }
    }

    proptest! {
        /// M7: any bytes, cut anywhere: the same result, and no panic.
        #[test]
        fn m7_pieces_make_no_difference(
            wire in proptest::collection::vec(proptest::prop_oneof![b'0'..=b'4', Just(b':'), Just(b':'),
                Just(b','), Just(b','), Just(b'\n'), Just(b'\r'), any::<u8>()], 0..60),
            start in proptest::sample::select(vec![&b""[..], b"3:\na\n,", b"4:\r\r\n\r,1:s,"]),
            piece in 1_usize..9,
        ) {
            let wire = [start, &wire].concat();
            prop_assert_eq!(decode_all(&wire, piece), decode_all(&wire, wire.len()));
        }

        #[test]
        fn a_request_comes_out_as_it_went_in(
            text in any::<Vec<u8>>(),
            recipients in proptest::collection::vec("[ -~]{0,12}", 0..6),
            piece in 1_usize..40,
        ) {
            let list: Vec<u8> = recipients.iter().flat_map(|one| netstring::encode(one.as_bytes())).collect();
            let contents = [&b"\n"[..], &text].concat();
            let wire = [contents.as_slice(), b"s@t", &list].map(netstring::encode).concat();
            let (decoded, steps, malformed) = decode_all(&wire, piece);
            prop_assert_eq!((decoded, malformed), (text.clone(), None));
            let mut expected = vec![Step::Begun(Some(text.len() as u64)), Step::Sender(good("s@t"))];
            expected.extend(recipients.iter().map(|one| Step::Recipient(good(one))));
            expected.push(Step::Complete);
            prop_assert_eq!(steps, expected);
        }
    }
}
