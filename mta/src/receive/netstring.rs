//! Netstrings: `LENGTH:CONTENTS,`, the length in decimal. Pure decoders, for bytes that come cut anywhere.
//!
//! [`Reader`] reads one netstring; a netstring that holds others is a [`Length`], its contents given to readers
//! within that length, and a comma.

/// Most bytes that a length may be written in. Zeros in front are fine, but not for ever.
const LONGEST_LENGTH: usize = 100;
/// A length above this may not have another digit.
const LARGE: u64 = 200_000_000;

/// Why bytes are no netstring that we take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// They follow another protocol, or none: a length that is none, or no comma where one has to be.
    Violation,
    /// A length that nobody here can mean.
    TooLarge,
}

/// A length that is being read, up to and with its colon. No digit at all is 0.
#[derive(Clone, Debug, Default)]
pub struct Length {
    value: u64,
    bytes: usize,
}

impl Length {
    /// Takes the next byte; the length if that was the colon.
    ///
    /// # Errors
    /// The byte is neither digit nor colon, or the length is too large or too long.
    pub fn feed(&mut self, byte: u8) -> Result<Option<u64>, Malformed> {
        self.bytes = self.bytes.saturating_add(1);
        match byte {
            b':' => Ok(Some(self.value)),
            b'0'..=b'9' if self.bytes >= LONGEST_LENGTH => Err(Malformed::Violation),
            b'0'..=b'9' if self.value > LARGE => Err(Malformed::TooLarge),
            b'0'..=b'9' => {
                // At most ten times LARGE and 9: no overflow.
                self.value = self.value.saturating_mul(10).saturating_add(u64::from(byte.wrapping_sub(b'0')));
                Ok(None)
            }
            _ => Err(Malformed::Violation),
        }
    }

    /// Whether nothing has come yet.
    pub fn is_untouched(&self) -> bool {
        self.bytes == 0
    }
}

/// What a [`Reader`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// Nothing yet; all bytes were taken.
    More,
    /// The contents begin, and have so many bytes.
    Begin(u64),
    /// Some of the contents.
    Contents(&'a [u8]),
    /// The comma: the netstring is complete, and the reader is ready for another.
    End,
}

/// One netstring after another.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Length(Length),
    /// So many bytes are left, then the comma.
    Contents(u64),
}

impl Default for State {
    fn default() -> State {
        State::Length(Length::default())
    }
}

impl Reader {
    /// Takes bytes: how many, and what they are. To be called again with the rest.
    ///
    /// # Errors
    /// They are no netstring. The reader is of no use any more.
    pub fn feed<'a>(&mut self, wire: &'a [u8]) -> Result<(usize, Token<'a>), Malformed> {
        match &mut self.state {
            State::Length(length) => {
                for (at, byte) in wire.iter().enumerate() {
                    if let Some(value) = length.feed(*byte)? {
                        self.state = State::Contents(value);
                        return Ok((at.saturating_add(1), Token::Begin(value)));
                    }
                }
                Ok((wire.len(), Token::More))
            }
            State::Contents(0) => match wire.first() {
                None => Ok((0, Token::More)),
                Some(b',') => {
                    self.state = State::default();
                    Ok((1, Token::End))
                }
                Some(_) => Err(Malformed::Violation),
            },
            State::Contents(left) => {
                let contents = within(wire, *left);
                *left = left.saturating_sub(contents.len() as u64);
                let token = if contents.is_empty() { Token::More } else { Token::Contents(contents) };
                Ok((contents.len(), token))
            }
        }
    }

    /// Whether the netstring that is being read can still be complete within so many bytes.
    pub fn fits(&self, left: u64) -> bool {
        match &self.state {
            // While there is a byte, a further digit may come, and make the length one that nobody can mean.
            State::Length(length) => length.is_untouched() || left > 0,
            State::Contents(contents) => *contents < left,
        }
    }

    /// Whether the reader stands between two netstrings.
    pub fn is_between(&self) -> bool {
        matches!(&self.state, State::Length(length) if length.is_untouched())
    }
}

/// At most so many of the bytes.
pub fn within(wire: &[u8], length: u64) -> &[u8] {
    usize::try_from(length).ok().and_then(|length| wire.get(..length)).unwrap_or(wire)
}

/// A netstring.
pub fn encode(contents: &[u8]) -> Vec<u8> {
    [prefix(contents.len() as u64).as_slice(), contents, b","].concat()
}

/// What stands before contents of this length.
pub fn prefix(length: u64) -> Vec<u8> {
    format!("{length}:").into_bytes()
}

/// All netstrings that `wire` begins with, and whether nothing else follows. What a fuzzer calls.
pub fn decode_all(mut wire: &[u8]) -> Result<(Vec<Vec<u8>>, bool), Malformed> {
    let (mut found, mut contents, mut reader) = (Vec::new(), Vec::new(), Reader::default());
    while !wire.is_empty() {
        let (used, token) = reader.feed(wire)?;
        match token {
            Token::More | Token::Begin(_) => {}
            Token::Contents(bytes) => contents.extend_from_slice(bytes),
            Token::End => found.push(std::mem::take(&mut contents)),
        }
        wire = wire.get(used..).unwrap_or_default();
    }
    Ok((found, reader.is_between()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    fn length(text: &str) -> Result<Option<u64>, Malformed> {
        let mut length = Length::default();
        text.bytes().try_fold(None, |_, byte| length.feed(byte))
    }

    #[test]
    fn a_length_has_digits_and_a_colon() {
        assert_eq!(length("12:"), Ok(Some(12)));
        assert_eq!(length("0012:"), Ok(Some(12)));
        assert_eq!(length(":"), Ok(Some(0)));
        assert_eq!(length("12"), Ok(None));
        for bad in ["1x", "-1:", " 1:", "1 ", "\n", "\0", "1\u{e9}"] {
            assert_eq!(length(bad), Err(Malformed::Violation), "{bad:?}");
        }
    }

    /// M1, M3: no length wraps, and none is read for ever.
    #[test]
    fn m1_lengths_are_bounded() {
        assert_eq!(length("2000000009:"), Ok(Some(2_000_000_009)));
        assert_eq!(length("2000000010:"), Err(Malformed::TooLarge));
        assert_eq!(length("18446744073709551616:"), Err(Malformed::TooLarge));
        assert_eq!(length(&format!("{}:", "0".repeat(99))), Ok(Some(0)));
        assert_eq!(length(&"0".repeat(100)), Err(Malformed::Violation));
    }

    #[test]
    fn a_netstring_ends_with_a_comma_and_nothing_else() {
        assert_eq!(decode_all(b"5:hello,0:,:,"), Ok((vec![b"hello".to_vec(), vec![], vec![]], true)));
        assert_eq!(decode_all(b"5:hello"), Ok((vec![], false)));
        assert_eq!(decode_all(b"5:hello;"), Err(Malformed::Violation));
        assert_eq!(decode_all(b"4:hello,"), Err(Malformed::Violation));
    }

    proptest! {
        /// M7: any bytes, cut anywhere: the same result, and no panic.
        #[test]
        fn m7_pieces_make_no_difference(
            wire in proptest::collection::vec(proptest::prop_oneof![b'0'..=b'3', proptest::prelude::Just(b':'),
                proptest::prelude::Just(b','), any::<u8>()], 0..60),
            cut in 1_usize..8,
        ) {
            let whole = decode_all(&wire);
            let (mut found, mut contents, mut reader) = (Vec::new(), Vec::new(), Reader::default());
            let mut result = Ok(());
            'pieces: for piece in wire.chunks(cut) {
                let mut rest = piece;
                while !rest.is_empty() {
                    match reader.feed(rest) {
                        Err(malformed) => {
                            result = Err(malformed);
                            break 'pieces;
                        }
                        Ok((used, token)) => {
                            match token {
                                Token::More | Token::Begin(_) => {}
                                Token::Contents(bytes) => contents.extend_from_slice(bytes),
                                Token::End => found.push(std::mem::take(&mut contents)),
                            }
                            rest = &rest[used..];
                        }
                    }
                }
            }
            prop_assert_eq!(result.map(|()| (found, reader.is_between())), whole);
        }

        #[test]
        fn what_is_encoded_is_decoded(contents in proptest::collection::vec(any::<Vec<u8>>(), 0..5)) {
            let wire: Vec<u8> = contents.iter().flat_map(|one| encode(one)).collect();
            prop_assert_eq!(decode_all(&wire), Ok((contents, true)));
        }
    }
}
