//! TAI64N labels as text: `@` and 24 lower case hexadecimal digits, as tai64n, multilog and the names of multilog's
//! files have them.

use unix::stamp::Stamp;

/// Bytes of a label, the `@` included.
pub const LENGTH: usize = 25;

/// The label of a moment, cut to microseconds as daemontools does.
pub fn encode(stamp: Stamp) -> [u8; LENGTH] {
    let mut text = [b'@'; LENGTH];
    let (_, digits) = text.split_at_mut(1);
    for (pair, byte) in digits.chunks_exact_mut(2).zip(stamp.to_tai64n()) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    text
}

/// What a label says: seconds since 1970, below zero before, and nanoseconds, which nobody promised to be below
/// a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Unix seconds.
    pub seconds: i64,
    /// The last eight digits.
    pub nanoseconds: u32,
}

/// Reads a label, and nothing else: a digit more or less, or one in upper case, makes it none.
pub fn decode(text: &[u8]) -> Option<Moment> {
    let digits = text.strip_prefix(b"@").filter(|digits| digits.len() == LENGTH.saturating_sub(1))?;
    let (seconds, nanoseconds) = digits.split_at_checked(16)?;
    let seconds = i64::try_from(number(seconds)?).ok()?.checked_sub(EPOCH)?;
    Some(Moment { seconds, nanoseconds: u32::try_from(number(nanoseconds)?).ok()? })
}

/// Whether a byte can be a digit of a label.
pub fn is_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

fn number(digits: &[u8]) -> Option<u64> {
    if !digits.iter().all(|byte| is_digit(*byte)) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn digit(value: u8) -> u8 {
    b"0123456789abcdef".get(usize::from(value)).copied().unwrap_or(b'0')
}

/// 1970-01-01 00:00:00 UTC as the first 16 digits have it.
const EPOCH: i64 = (1 << 62) + 10;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{ProptestConfig, proptest};

    #[test]
    fn the_label_of_the_manual_is_its_moment() {
        let moment = decode(b"@4000000037c219bf2ef02e94").unwrap();
        assert_eq!(moment, Moment { seconds: 935_467_445, nanoseconds: 787_492_500 });
        let before = decode(b"@400000000000000000000000").unwrap();
        assert_eq!(before, Moment { seconds: -10, nanoseconds: 0 });
    }

    #[test]
    fn other_texts_are_no_labels() {
        for text in [
            &b""[..],
            b"@",
            b"@zz",
            b"@40000000",
            b"@4000000037C219BF2EF02E94",
            b"@4000000037c219bf2ef02e945",
            b"@+000000037c219bf2ef02e94",
            b"@ffffffffffffffff00000000",
            b"14000000037c219bf2ef02e94",
        ] {
            assert_eq!(decode(text), None, "{}", text.escape_ascii());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn labels_come_back_and_sort_like_time(one in 0_u64..1 << 40, nanoseconds in 0_u32..1_000_000_000, later in 1_u64..5) {
            let stamp = Stamp { seconds: one, nanoseconds };
            let label = encode(stamp);
            let moment = decode(&label).unwrap();
            assert_eq!(moment.seconds, i64::try_from(one).unwrap());
            assert_eq!(moment.nanoseconds, nanoseconds / 1000 * 1000 + 500);
            assert!(label < encode(Stamp { seconds: one + later, nanoseconds: 0 }));
        }
    }
}
