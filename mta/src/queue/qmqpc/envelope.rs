//! The envelope as it comes on descriptor 1, turned into netstrings: the sender, then each recipient.

use crate::queue::enqueue_error::EnqueueError;
use crate::queue::envelope::EnvelopeDecoder;
use crate::receive::netstring;

/// Turns records into netstrings, whatever the pieces that they come in.
#[derive(Debug, Default)]
pub struct EnvelopeEncoder {
    decoder: EnvelopeDecoder,
    /// The record that is not complete: its letter and the address. The decoder bounds it.
    record: Vec<u8>,
}

impl EnvelopeEncoder {
    /// Takes the next piece; the netstrings of the records that it completes.
    ///
    /// # Errors
    /// As for [`EnvelopeDecoder::push`].
    pub fn encode(&mut self, piece: &[u8]) -> Result<Vec<u8>, EnqueueError> {
        let mut netstrings = Vec::new();
        for byte in self.decoder.push(piece)? {
            if *byte != 0 {
                self.record.push(*byte);
                continue;
            }
            let record = std::mem::take(&mut self.record);
            netstrings.extend(netstring::encode(record.get(1..).unwrap_or_default()));
        }
        Ok(netstrings)
    }

    /// Whether the end of the envelope has come.
    pub fn is_complete(&self) -> bool {
        self.decoder.is_complete()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_become_netstrings_however_they_are_cut() {
        let envelope = b"Fa@b\0Tc@d\0T\0\0rest";
        for cut in 1..envelope.len() {
            let mut encoder = EnvelopeEncoder::default();
            let mut netstrings = Vec::new();
            for piece in envelope.chunks(cut) {
                if !encoder.is_complete() {
                    netstrings.extend(encoder.encode(piece).unwrap());
                }
            }
            assert!(encoder.is_complete());
            assert_eq!(netstrings, b"3:a@b,3:c@d,0:,");
        }
    }

    #[test]
    fn s5_what_qmail_queue_refuses_is_refused_here() {
        assert_eq!(EnvelopeEncoder::default().encode(b"Fa\rb\0\0"), Err(EnqueueError::AddressControlByte));
        assert_eq!(EnvelopeEncoder::default().encode(b"Ta\0\0"), Err(EnqueueError::BadEnvelope));
    }
}
