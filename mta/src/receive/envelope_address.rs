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
    /// Takes the next bytes. What is wrong first is the reason, however the bytes are cut.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.fault.is_some() {
            return;
        }
        let room = LONGEST.saturating_sub(self.kept.len());
        self.fault = match bytes.iter().position(u8::is_ascii_control) {
            Some(position) if position <= room => Some(Unacceptable::ControlByte),
            _ if bytes.len() > room => Some(Unacceptable::TooLong),
            _ => None,
        };
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
    fn m7_of_two_faults_the_first_is_told_however_the_bytes_are_cut() {
        let control_at = |position: usize| {
            let mut address = vec![b'a'; 1100];
            address.iter_mut().skip(position).take(1).for_each(|byte| *byte = 0x7f);
            address
        };
        for (position, expected) in
            [(0, Unacceptable::ControlByte), (999, Unacceptable::ControlByte), (1000, Unacceptable::TooLong)]
        {
            let address = control_at(position);
            for size in [1, 7, 999, 1000, 1100] {
                assert_eq!(
                    read(&address.chunks(size).collect::<Vec<_>>()),
                    Err(expected),
                    "{position} {size}"
                );
            }
        }
    }

    #[test]
    fn s5_control_bytes_are_not_accepted() {
        for byte in (0..0x20).chain([0x7f]) {
            assert_eq!(read(&[b"a", &[byte], b"b"]), Err(Unacceptable::ControlByte));
        }
        assert_eq!(read(&[b"\xe9 \x80@b"]), Ok(b"\xe9 \x80@b".to_vec()));
    }
}
