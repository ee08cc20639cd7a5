//! What a client sends, QMQP: a pure decoder. One netstring that holds others: the message, as it will be
//! queued; the sender; and each recipient.
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
    /// The message begins.
    Begun,
    /// The message is over, and so is the sender's address.
    Sender(Address),
    /// A recipient.
    Recipient(Address),
    /// The end. There is one request for a connection.
    Complete,
}

/// A request that is being decoded.
#[derive(Debug, Default)]
pub struct Decoder {
    frame: Frame,
    part: Part,
    /// Reads the netstring of the part.
    reader: Reader,
    address: AddressReader,
}

/// The netstring around all others.
#[derive(Debug)]
enum Frame {
    Length(Length),
    /// So many bytes are left, then the comma.
    Contents(u64),
    Complete,
}

impl Default for Frame {
    fn default() -> Frame {
        Frame::Length(Length::default())
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Message,
    Sender,
    Recipients,
}

impl Decoder {
    /// Takes bytes from the wire and appends what they have of the message to `text`: how many were taken, and
    /// how far the request is. To be called again with the rest.
    ///
    /// # Errors
    /// The bytes are not this protocol.
    pub fn feed(&mut self, wire: &[u8], text: &mut Vec<u8>) -> Result<(usize, Step), Malformed> {
        match &mut self.frame {
            Frame::Length(length) => {
                let Some(byte) = wire.first() else { return Ok((0, Step::More)) };
                if let Some(length) = length.feed(*byte)? {
                    self.frame = Frame::Contents(length);
                }
                Ok((1, Step::More))
            }
            Frame::Contents(0) => self.end(wire),
            Frame::Contents(left) => {
                let left = *left;
                let (used, step) = self.contents(netstring::within(wire, left), text)?;
                let left = left.saturating_sub(used as u64);
                self.frame = Frame::Contents(left);
                if self.reader.fits(left) { Ok((used, step)) } else { Err(Malformed::Violation) }
            }
            Frame::Complete => Ok((wire.len(), Step::More)),
        }
    }

    fn contents(&mut self, wire: &[u8], text: &mut Vec<u8>) -> Result<(usize, Step), Malformed> {
        let (used, token) = self.reader.feed(wire)?;
        let step = match (self.part, token) {
            (Part::Message, Token::Begin(_)) => Step::Begun,
            (Part::Message, Token::Contents(bytes)) => {
                text.extend_from_slice(bytes);
                Step::More
            }
            (Part::Message, Token::End) => {
                self.part = Part::Sender;
                Step::More
            }
            (Part::Sender | Part::Recipients, Token::Contents(bytes)) => {
                self.address.feed(bytes);
                Step::More
            }
            (Part::Sender, Token::End) => {
                self.part = Part::Recipients;
                Step::Sender(self.address.finish())
            }
            (Part::Recipients, Token::End) => Step::Recipient(self.address.finish()),
            (_, Token::More | Token::Begin(_)) => Step::More,
        };
        Ok((used, step))
    }

    fn end(&mut self, wire: &[u8]) -> Result<(usize, Step), Malformed> {
        match wire.first() {
            None => Ok((0, Step::More)),
            Some(b',') if self.part == Part::Recipients => {
                self.frame = Frame::Complete;
                Ok((1, Step::Complete))
            }
            Some(_) => Err(Malformed::Violation),
        }
    }
}

/// What all bytes of a connection say: the message, the steps, and why the rest is not understood, if it is not.
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

    #[test]
    fn a_request_is_a_message_a_sender_and_recipients() {
        let (text, steps, malformed) = decode_all(b"25:4:msg\n,3:a@b,3:c@d,3:e@f,,rest", 1000);
        assert_eq!((text.as_slice(), malformed), (&b"msg\n"[..], None));
        let expected = [
            Step::Begun,
            Step::Sender(good("a@b")),
            Step::Recipient(good("c@d")),
            Step::Recipient(good("e@f")),
            Step::Complete,
        ];
        assert_eq!(steps, expected);
        assert_eq!(decode_all(b"6:0:,0:,,", 1).1, [Step::Begun, Step::Sender(good("")), Step::Complete]);
    }

    #[test]
    fn a_length_that_fills_the_request_is_too_large_in_pieces_of_any_size() {
        let wire = b"23:0000000000000800080000900";
        for piece in [1, 5, 1000] {
            let (_, _, malformed) = decode_all(wire, piece);
            assert_eq!(malformed, Some(Malformed::TooLarge), "pieces of {piece}");
        }
    }

    #[test]
    fn what_is_not_the_protocol_is_refused() {
        for wire in [
            &b"5:hello,"[..],
            b"0:,",
            b"3:0:,,",
            b"7:0:,0:,,",
            b"5:0:,0:,,",
            b"9:0:,0:,9:a,",
            b"9:0:,0:,1:a;,",
            b"6:0:,0:,;",
            b"7:9:m,0:,,",
            b"8:0:,0:,12,",
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
                Just(b','), Just(b','), any::<u8>()], 0..60),
            start in proptest::sample::select(vec![&b""[..], b"9:", b"33:1:m,1:s,"]),
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
            let inner = [netstring::encode(&text), netstring::encode(b"s@t"), list].concat();
            let (decoded, steps, malformed) = decode_all(&netstring::encode(&inner), piece);
            prop_assert_eq!((decoded, malformed), (text, None));
            let mut expected = vec![Step::Begun, Step::Sender(good("s@t"))];
            expected.extend(recipients.iter().map(|one| Step::Recipient(good(one))));
            expected.push(Step::Complete);
            prop_assert_eq!(steps, expected);
        }
    }
}
