//! Line ends: LF as Unix has it, CR LF as the Internet has it.

/// Something done to bytes that come in pieces of any size.
pub(super) trait Change {
    /// What becomes of the next piece.
    fn apply(&mut self, bytes: &[u8]) -> Vec<u8>;

    /// What is still owed at the end.
    fn finish(&mut self) -> Vec<u8> {
        Vec::new()
    }
}

/// Puts a CR before each LF, even after another one.
#[derive(Debug, Default)]
pub(super) struct AddCr;

impl Change for AddCr {
    fn apply(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut changed = Vec::with_capacity(bytes.len());
        for byte in bytes {
            if *byte == b'\n' {
                changed.push(b'\r');
            }
            changed.push(*byte);
        }
        changed
    }
}

/// Puts a CR before each LF that has none.
#[derive(Debug, Default)]
pub(super) struct FixCr {
    after_cr: bool,
}

impl Change for FixCr {
    fn apply(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut changed = Vec::with_capacity(bytes.len());
        for byte in bytes {
            if *byte == b'\n' && !self.after_cr {
                changed.push(b'\r');
            }
            self.after_cr = *byte == b'\r';
            changed.push(*byte);
        }
        changed
    }
}

/// Takes one CR away before each LF.
#[derive(Debug, Default)]
pub(super) struct DelCr {
    /// A CR was seen that is not passed on before the next byte is known.
    owes_cr: bool,
}

impl Change for DelCr {
    fn apply(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut changed = Vec::with_capacity(bytes.len().saturating_add(1));
        for byte in bytes {
            if self.owes_cr && *byte != b'\n' {
                changed.push(b'\r');
            }
            self.owes_cr = *byte == b'\r';
            if !self.owes_cr {
                changed.push(*byte);
            }
        }
        changed
    }

    fn finish(&mut self) -> Vec<u8> {
        if std::mem::take(&mut self.owes_cr) { b"\r".to_vec() } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same in one piece and byte by byte.
    fn changed<C: Change + Default>(bytes: &[u8]) -> String {
        let mut whole = C::default();
        let at_once = [whole.apply(bytes), whole.finish()].concat();
        let mut cut = C::default();
        let mut pieces: Vec<u8> = bytes.chunks(1).flat_map(|piece| cut.apply(piece)).collect();
        pieces.extend(cut.finish());
        assert_eq!(at_once, pieces);
        String::from_utf8(at_once).unwrap()
    }

    #[test]
    fn adding_doubles_what_is_there_and_fixing_does_not() {
        assert_eq!(changed::<AddCr>(b"a\nb\r\n\n\0c"), "a\r\nb\r\r\n\r\n\0c");
        assert_eq!(changed::<FixCr>(b"a\nb\r\n\n\0c\r"), "a\r\nb\r\n\r\n\0c\r");
    }

    #[test]
    fn one_cr_before_a_newline_is_taken_away_and_no_other() {
        assert_eq!(changed::<DelCr>(b"a\r\nb\r\r\n\rc\n\0\r"), "a\nb\r\n\rc\n\0\r");
        assert_eq!(changed::<DelCr>(b"\r"), "\r");
        assert_eq!(changed::<DelCr>(b""), "");
    }
}
