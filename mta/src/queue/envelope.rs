//! The envelope of a message: how qmail-queue is given it, and how todo keeps it.
//!
//! On descriptor 1 of qmail-queue: `F`sender NUL, then `T`recipient NUL for each recipient, then NUL.
//! In intd and todo: `u`uid NUL `p`pid NUL `F`sender NUL `T`recipient NUL …, without a record at the end.

use super::enqueue_error::EnqueueError;

/// Envelope sender of the bounce of a bounce, which is bounced to nobody.
pub const DOUBLE_BOUNCE_SENDER: &[u8] = b"#@[]";
/// Longest address that is taken, in bytes.
pub const ADDRESS_LIMIT: usize = 1002;

/// Decodes what comes on descriptor 1, byte by byte, whatever the pieces that it comes in.
#[derive(Debug)]
pub struct EnvelopeDecoder {
    state: State,
    address_length: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the sender's letter.
    Start,
    /// Inside an address.
    Address,
    /// Before the letter of a recipient, or the end.
    NextRecipient,
    Complete,
}

impl EnvelopeDecoder {
    /// A decoder that has seen nothing.
    pub fn new() -> EnvelopeDecoder {
        EnvelopeDecoder { state: State::Start, address_length: 0 }
    }

    /// Takes the next piece and gives that part of it which belongs into intd. What follows the final NUL does not.
    ///
    /// # Errors
    /// A record that does not begin with its letter; an address that is too long or holds a control byte,
    /// which no header line and no SMTP command could carry.
    pub fn push<'a>(&mut self, piece: &'a [u8]) -> Result<&'a [u8], EnqueueError> {
        for (at, byte) in piece.iter().enumerate() {
            if self.state == State::Complete {
                return Ok(piece.get(..at.saturating_sub(1)).unwrap_or_default());
            }
            self.step(*byte)?;
        }
        let unwanted = usize::from(self.state == State::Complete);
        Ok(piece.get(..piece.len().saturating_sub(unwanted)).unwrap_or_default())
    }

    /// Whether the final NUL has come.
    pub fn is_complete(&self) -> bool {
        self.state == State::Complete
    }

    fn step(&mut self, byte: u8) -> Result<(), EnqueueError> {
        self.state = match (self.state, byte) {
            (State::Start, b'F') | (State::NextRecipient, b'T') => {
                self.address_length = 0;
                State::Address
            }
            (State::NextRecipient, 0) => State::Complete,
            (State::Start | State::NextRecipient, _) => return Err(EnqueueError::BadEnvelope),
            (State::Address, 0) => State::NextRecipient,
            (State::Address, 0x01..=0x1f | 0x7f) => return Err(EnqueueError::AddressControlByte),
            (State::Address, _) if self.address_length == ADDRESS_LIMIT => {
                return Err(EnqueueError::AddressTooLong);
            }
            (State::Address, _) => {
                self.address_length = self.address_length.saturating_add(1);
                State::Address
            }
            (State::Complete, _) => State::Complete,
        };
        Ok(())
    }
}

impl Default for EnvelopeDecoder {
    fn default() -> Self {
        EnvelopeDecoder::new()
    }
}

/// The records of further recipients, which the administrator wants every message to have.
///
/// # Errors
/// An address that nobody could queue.
pub fn extra_recipients(addresses: &[Vec<u8>]) -> Result<Vec<u8>, EnqueueError> {
    let is_good =
        |address: &Vec<u8>| address.len() <= ADDRESS_LIMIT && !address.iter().any(u8::is_ascii_control);
    if !addresses.iter().all(is_good) {
        return Err(EnqueueError::Configuration);
    }
    Ok(addresses.iter().flat_map(|address| [b"T", &address[..], b"\0"].concat()).collect())
}

/// The first records of intd: who queued the message.
pub fn origin(uid: u32, pid: i32) -> Vec<u8> {
    format!("u{uid}\0p{pid}\0").into_bytes()
}

/// One record of todo, info, local or remote, without its NUL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// Real user number of the process that queued the message, as digits.
    Uid(&'a [u8]),
    /// Process number of qmail-queue, as digits.
    Pid(&'a [u8]),
    /// Envelope sender.
    Sender(&'a [u8]),
    /// A recipient that is not done.
    Recipient(&'a [u8]),
    /// A recipient that is done.
    Done(&'a [u8]),
    /// None of these.
    Unknown,
}

impl<'a> Record<'a> {
    /// Reads one record.
    pub fn decode(record: &'a [u8]) -> Record<'a> {
        match record.split_first() {
            Some((b'u', rest)) => Record::Uid(rest),
            Some((b'p', rest)) => Record::Pid(rest),
            Some((b'F', rest)) => Record::Sender(rest),
            Some((b'T', rest)) => Record::Recipient(rest),
            Some((b'D', rest)) => Record::Done(rest),
            _ => Record::Unknown,
        }
    }
}

/// The complete records of a file; an unterminated rest, as a crash may leave it, is none.
pub fn records(file: &[u8]) -> impl Iterator<Item = Record<'_>> {
    let complete = file.iter().rposition(|byte| *byte == 0).and_then(|end| file.get(..end));
    complete.into_iter().flat_map(|text| text.split(|byte| *byte == 0)).map(Record::decode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{Just, any, proptest};

    fn decode(bytes: &[u8]) -> Result<(Vec<u8>, bool), EnqueueError> {
        let mut decoder = EnvelopeDecoder::new();
        let kept = decoder.push(bytes)?.to_vec();
        Ok((kept, decoder.is_complete()))
    }

    #[test]
    fn what_follows_the_final_nul_is_not_kept() {
        assert_eq!(decode(b"Fa@b\0Tc@d\0\0rest"), Ok((b"Fa@b\0Tc@d\0".to_vec(), true)));
        assert_eq!(decode(b"F\0\0"), Ok((b"F\0".to_vec(), true)));
        assert_eq!(decode(b"Fa@b\0Tc@d\0"), Ok((b"Fa@b\0Tc@d\0".to_vec(), false)));
    }

    #[test]
    fn records_must_begin_with_their_letters() {
        assert_eq!(decode(b"Ta\0\0"), Err(EnqueueError::BadEnvelope));
        assert_eq!(decode(b"Fa\0Fb\0\0"), Err(EnqueueError::BadEnvelope));
        assert_eq!(decode(b"\0"), Err(EnqueueError::BadEnvelope));
    }

    #[test]
    fn an_address_of_1002_bytes_is_the_longest() {
        let envelope = |length: usize| [&b"F"[..], &vec![b'a'; length], b"\0\0"].concat();
        assert!(decode(&envelope(1002)).is_ok());
        assert_eq!(decode(&envelope(1003)), Err(EnqueueError::AddressTooLong));
    }

    #[test]
    fn extra_recipients_are_records_like_others() {
        assert_eq!(extra_recipients(&[b"log".to_vec(), b"a@b".to_vec()]), Ok(b"Tlog\0Ta@b\0".to_vec()));
        assert_eq!(extra_recipients(&[]), Ok(Vec::new()));
        for bad in [vec![b'a'; 1003], b"a\tb".to_vec()] {
            assert_eq!(extra_recipients(&[bad]), Err(EnqueueError::Configuration));
        }
    }

    /// S5
    #[test]
    fn s5_control_bytes_in_addresses_are_refused() {
        for byte in (1..0x20).chain([0x7f]) {
            assert_eq!(decode(&[b'F', b'a', byte, b'b', 0, 0]), Err(EnqueueError::AddressControlByte));
        }
        assert!(decode(b"F\xe9\x80@b\0\0").is_ok());
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(bytes in proptest::collection::vec(
            proptest::prop_oneof![Just(0), Just(b'F'), Just(b'T'), any::<u8>()], 0..40), cut in 0_usize..40) {
            let whole = decode(&bytes);
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            let mut decoder = EnvelopeDecoder::new();
            let pieces = decoder.push(first).map(<[u8]>::to_vec).and_then(|mut kept| {
                kept.extend_from_slice(decoder.push(second)?);
                Ok((kept, decoder.is_complete()))
            });
            assert_eq!(whole, pieces);
        }
    }

    #[test]
    fn an_unterminated_record_is_none() {
        let found: Vec<Record<'_>> = records(b"u5\0p6\0Fs\0Ta\0Tb").collect();
        let expected = [Record::Uid(b"5"), Record::Pid(b"6"), Record::Sender(b"s"), Record::Recipient(b"a")];
        assert_eq!(found, expected);
        assert_eq!(records(b"Ta").count(), 0);
    }
}
