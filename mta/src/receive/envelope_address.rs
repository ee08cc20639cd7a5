//! An envelope address that comes in pieces and may be as long as the client likes: only an acceptable one is kept.

/// Longest address, as the quick protocols have it.
pub const LONGEST: usize = 999;

/// Why an address is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unacceptable {
    /// It is longer than [`LONGEST`].
    TooLong,
    /// A control byte is in it, which no header line and no SMTP command could carry.
    ControlByte,
}

/// The address that is being read.
#[derive(Clone, Debug, Default)]
pub struct AddressReader {
    kept: Vec<u8>,
    fault: Option<Unacceptable>,
}

impl AddressReader {
    /// Takes the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        if bytes.iter().any(u8::is_ascii_control) {
            self.fault.get_or_insert(Unacceptable::ControlByte);
        }
        if self.kept.len().saturating_add(bytes.len()) > LONGEST {
            self.fault.get_or_insert(Unacceptable::TooLong);
        }
        if self.fault.is_none() {
            self.kept.extend_from_slice(bytes);
        }
    }

    /// The address that is complete; the reader is ready for another.
    pub fn finish(&mut self) -> Result<Vec<u8>, Unacceptable> {
        let AddressReader { kept, fault } = std::mem::take(self);
        fault.map_or(Ok(kept), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> Result<Vec<u8>, Unacceptable> {
        let mut reader = AddressReader::default();
        pieces.iter().for_each(|piece| reader.feed(piece));
        reader.finish()
    }

    /// M1: what is too long is not kept.
    #[test]
    fn m1_an_address_of_999_bytes_is_the_longest() {
        assert_eq!(read(&[&[b'a'; 500], &[b'a'; 499]]), Ok(vec![b'a'; 999]));
        let mut reader = AddressReader::default();
        for _ in 0..1000 {
            reader.feed(&[b'a'; 500]);
        }
        assert!(reader.kept.capacity() <= 1000);
        assert_eq!(reader.finish(), Err(Unacceptable::TooLong));
        assert_eq!(reader.finish(), Ok(Vec::new()));
    }

    #[test]
    fn s5_control_bytes_are_not_accepted() {
        for byte in (0..0x20).chain([0x7f]) {
            assert_eq!(read(&[b"a", &[byte], b"b"]), Err(Unacceptable::ControlByte));
        }
        assert_eq!(read(&[b"\xe9 \x80@b"]), Ok(b"\xe9 \x80@b".to_vec()));
    }
}
