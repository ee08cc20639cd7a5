//! Decimal numbers as the suite reads them from files, options and addresses.

/// The digits at the start of `text` as a number, and how many there were.
///
/// No digits give `(0, 0)`. A number that does not fit gives the largest one, not a wrapped one.
pub fn scan(text: &[u8]) -> (u64, usize) {
    let mut value: u64 = 0;
    let mut length = 0;
    for byte in text.iter().take_while(|byte| byte.is_ascii_digit()) {
        value = value.saturating_mul(10).saturating_add(u64::from(byte - b'0'));
        length += 1;
    }
    (value, length)
}

/// The number that the whole of `text` is, or nothing.
pub fn whole(text: &[u8]) -> Option<u64> {
    let (value, length) = scan(text);
    (length == text.len() && length > 0).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_end_at_the_first_other_byte() {
        assert_eq!(scan(b"104000x"), (104_000, 6));
        assert_eq!(scan(b"-5"), (0, 0));
        assert_eq!(whole(b"12"), Some(12));
        assert_eq!(whole(b"12 "), None);
        assert_eq!(whole(b""), None);
    }

    #[test]
    fn a_number_that_does_not_fit_is_the_largest_one() {
        assert_eq!(scan(b"99999999999999999999999"), (u64::MAX, 23));
    }
}
