//! QMTP as `serialqmtp` speaks it: a message in three netstrings, and its reply in one.
//!
//! ```text
//! LENGTH:LF BODY,  LENGTH:SENDER,  LENGTH:LENGTH:RECIPIENT,,        the LF says that lines of the body end so
//! LENGTH:STATUS TEXT,                                                STATUS is K, Z or D
//! ```

use super::message::Envelope;
use super::protocol::Status;
use crate::receive::netstring::{self, Token};

/// What stands before a body of this length, whose lines end in LF.
pub fn before_body(length: u64) -> Vec<u8> {
    [netstring::prefix(length.saturating_add(1)).as_slice(), b"\n"].concat()
}

/// What stands behind the body.
pub fn behind_body(envelope: &Envelope) -> Vec<u8> {
    let recipients = netstring::encode(&netstring::encode(&envelope.recipient));
    [b",", netstring::encode(&envelope.sender).as_slice(), &recipients].concat()
}

/// What came is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation;

/// As much of a text is kept as a report has room for.
const KEPT: usize = 2000;

/// Puts replies together from bytes that come cut anywhere.
#[derive(Debug, Default)]
pub struct Replies {
    reader: netstring::Reader,
    left: u64,
    status: Option<Status>,
    text: Vec<u8>,
}

impl Replies {
    /// Takes bytes, and adds the replies that are complete but for their comma to `found`.
    ///
    /// # Errors
    /// The bytes are not of this protocol. What was found before that counts.
    pub fn feed(&mut self, mut wire: &[u8], found: &mut Vec<(Status, Vec<u8>)>) -> Result<(), Violation> {
        while !wire.is_empty() {
            let (used, token) = self.reader.feed(wire).map_err(|_| Violation)?;
            match token {
                Token::More | Token::End => {}
                Token::Begin(0) => return Err(Violation),
                Token::Begin(length) => self.left = length,
                Token::Contents(bytes) => self.contents(bytes, found)?,
            }
            wire = wire.get(used..).unwrap_or_default();
        }
        Ok(())
    }

    /// Whether the last reply has come to its end.
    pub fn is_between(&self) -> bool {
        self.reader.is_between()
    }

    fn contents(&mut self, bytes: &[u8], found: &mut Vec<(Status, Vec<u8>)>) -> Result<(), Violation> {
        let mut text = bytes;
        if self.status.is_none() {
            let (letter, rest) = bytes.split_first().ok_or(Violation)?;
            self.status = Some(status(*letter).ok_or(Violation)?);
            text = rest;
        }
        let room = KEPT.saturating_sub(self.text.len());
        self.text.extend_from_slice(text.get(..room).unwrap_or(text));
        self.left = self.left.saturating_sub(bytes.len() as u64);
        if self.left == 0
            && let Some(status) = self.status.take()
        {
            found.push((status, std::mem::take(&mut self.text)));
        }
        Ok(())
    }
}

fn status(letter: u8) -> Option<Status> {
    match letter {
        b'K' => Some(Status::Accepted),
        b'Z' => Some(Status::PutOff),
        b'D' => Some(Status::Refused),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{Just, any, prop_assert_eq, prop_oneof, proptest};

    type Found = Vec<(Status, Vec<u8>)>;

    fn replies(wire: &[u8], cut: usize) -> (Found, Result<(), Violation>) {
        let (mut replies, mut found) = (Replies::default(), Vec::new());
        let result = wire.chunks(cut).try_for_each(|piece| replies.feed(piece, &mut found));
        (found, result)
    }

    #[test]
    fn a_message_is_three_netstrings() {
        let envelope = Envelope { sender: b"Sender".to_vec(), recipient: b"Whatever".to_vec() };
        let body = b"This is a test.\n";
        let wire = [before_body(body.len() as u64).as_slice(), body, &behind_body(&envelope)].concat();
        // The recipient has 8 bytes, and 11 as a netstring.
        assert_eq!(wire, b"17:\nThis is a test.\n,6:Sender,11:8:Whatever,,");
    }

    #[test]
    fn replies_come_in_order_and_begin_with_a_letter() {
        let wire = b"3:Kok,1:Z,6:D no\n!,";
        let expected = [
            (Status::Accepted, b"ok".to_vec()),
            (Status::PutOff, b"".to_vec()),
            (Status::Refused, b" no\n!".to_vec()),
        ];
        for cut in 1..wire.len() {
            assert_eq!(replies(wire, cut), (expected.to_vec(), Ok(())), "{cut}");
        }
    }

    #[test]
    fn what_is_no_reply_is_a_violation_and_what_came_before_it_counts() {
        let one = vec![(Status::Accepted, b"ok".to_vec())];
        assert_eq!(replies(b"3:Kok;", 1), (one.clone(), Err(Violation)));
        for wrong in [&b"x"[..], b"0:,", b":,", b"2:ok,", b"-1:K,", b"99999999999:K"] {
            assert_eq!(replies(&[b"3:Kok,", wrong].concat(), 2), (one.clone(), Err(Violation)), "{wrong:?}");
        }
    }

    #[test]
    fn m1_what_is_kept_of_a_text_is_bounded() {
        let wire = [b"100000:K", &[b'x'; 99_999][..], b","].concat();
        let (found, result) = replies(&wire, 1000);
        assert_eq!((found[0].1.len(), result), (KEPT, Ok(())));
    }

    proptest! {
        /// M7: any bytes, cut anywhere: the same replies, and no panic.
        #[test]
        fn m7_pieces_make_no_difference(
            wire in proptest::collection::vec(prop_oneof![Just(b'K'), Just(b':'), Just(b','), b'0'..=b'3', any::<u8>()], 0..60),
            cut in 1_usize..8) {
            prop_assert_eq!(replies(&wire, cut), replies(&wire, 100));
        }
    }
}
