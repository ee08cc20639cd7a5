//! What the server says about the message: a netstring that begins with K, Z or D. A pure decoder.
//!
//! Only a letter in that very place is an answer. Something else that listens on the port, and says
//! something with a K in it, has not taken the message.

use crate::queue::enqueue_error::EnqueueError;
use crate::receive::netstring::Length;

/// The answer that is being read.
#[derive(Debug, Default)]
pub struct AnswerReader {
    length: Length,
    is_begun: bool,
}

impl AnswerReader {
    /// Takes bytes; the answer, once it is known.
    pub fn feed(&mut self, bytes: &[u8]) -> Option<Result<(), EnqueueError>> {
        bytes.iter().find_map(|byte| self.step(*byte))
    }

    fn step(&mut self, byte: u8) -> Option<Result<(), EnqueueError>> {
        if self.is_begun {
            return Some(match byte {
                b'K' => Ok(()),
                b'Z' => Err(EnqueueError::PutOffByServer),
                b'D' => Err(EnqueueError::RefusedByServer),
                _ => Err(EnqueueError::ConnectionFailed),
            });
        }
        match self.length.feed(byte) {
            Ok(None) => None,
            Ok(Some(length)) if length > 0 => {
                self.is_begun = true;
                None
            }
            Ok(Some(_)) | Err(_) => Some(Err(EnqueueError::ConnectionFailed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Option<Result<(), EnqueueError>> {
        let mut reader = AnswerReader::default();
        let answer = bytes.iter().find_map(|byte| reader.feed(&[*byte]));
        assert_eq!(answer, AnswerReader::default().feed(bytes));
        answer
    }

    #[test]
    fn the_letter_after_the_length_is_the_answer() {
        assert_eq!(read(b"3:Kok,"), Some(Ok(())));
        assert_eq!(read(b"23:Zlater"), Some(Err(EnqueueError::PutOffByServer)));
        assert_eq!(read(b"3:Dno,"), Some(Err(EnqueueError::RefusedByServer)));
        assert_eq!(read(b"3:"), None);
    }

    #[test]
    fn what_is_no_netstring_is_no_success_whatever_is_in_it() {
        for bytes in [&b"K"[..], b"220 mail.example OK K\r\n", b"HTTP/1.1 200 OK", b"0:K", b"1:OK", b"1: K"] {
            assert_eq!(read(bytes), Some(Err(EnqueueError::ConnectionFailed)), "{bytes:?}");
        }
    }
}
