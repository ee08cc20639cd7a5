//! The rules of rotation: what the next file is called, and which ones there are. No I/O.

use crate::label;
use unix::number;

/// The name of a log file: `@`, the second when it was started in 14 digits, and for the second and later files
/// of one second a dot and six digits that count from 000001.
///
/// The byte order of names is their age, and the number after `@` is the second for every reader of digits.
/// Each name comes after those that exist: when the clock went back, the files go on in the last second of the
/// newest one until the clock has passed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogName {
    second: u64,
    repeat: u32,
}

impl LogName {
    /// The name for a file that is started `now`, when `newest` is the newest name there is.
    pub fn next(newest: Option<LogName>, now: u64) -> LogName {
        let fresh = LogName { second: now, repeat: 0 };
        newest.map_or(fresh, |newest| fresh.max(newest.successor()))
    }

    /// The next name that can come after this one.
    pub fn successor(self) -> LogName {
        if self.repeat < LAST_REPEAT {
            LogName { second: self.second, repeat: self.repeat.saturating_add(1) }
        } else {
            LogName { second: self.second.saturating_add(1), repeat: 0 }
        }
    }

    /// Reads a name that `cyclog` made, and nothing else.
    pub fn decode(name: &[u8]) -> Option<LogName> {
        let (second, rest) = name.strip_prefix(b"@")?.split_at_checked(SECOND_DIGITS)?;
        let repeat = match rest.split_first() {
            None => 0,
            Some((b'.', digits)) if digits.len() == REPEAT_DIGITS => {
                number::whole(digits).and_then(|repeat| u32::try_from(repeat).ok())?
            }
            Some(_) => return None,
        };
        Some(LogName { second: number::whole(second)?, repeat })
    }

    /// The second when the file was started, since 1970.
    pub fn second(self) -> u64 {
        self.second
    }

    /// The name as it stands in the directory.
    pub fn encode(self) -> String {
        match self.repeat {
            0 => format!("@{:014}", self.second),
            repeat => format!("@{:014}.{repeat:06}", self.second),
        }
    }
}

/// The log files among the names, oldest first.
///
/// All names that begin with `@` count. Those of others are as old as the number after the `@` says (none is the
/// oldest); a name of `multilog` is as old as its TAI64N label.
pub fn logs(mut names: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    names.retain(|name| name.starts_with(b"@"));
    names.sort_by_cached_key(|name| (second_of(name), name.clone()));
    names
}

fn second_of(name: &[u8]) -> u64 {
    let stamp = name.get(..label::LENGTH).and_then(label::decode);
    let second = stamp.and_then(|moment| u64::try_from(moment.seconds).ok());
    second.unwrap_or_else(|| number::scan(name.get(1..).unwrap_or_default()).0)
}

/// Digits of the second in a name.
const SECOND_DIGITS: usize = 14;
/// Digits after the dot.
const REPEAT_DIGITS: usize = 6;
/// The largest number of [`REPEAT_DIGITS`].
const LAST_REPEAT: u32 = 999_999;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{ProptestConfig, proptest};

    #[test]
    fn files_of_one_second_get_names_that_sort_by_age() {
        let first = LogName::next(None, 1_795_349_785);
        assert_eq!(first.encode(), "@00001795349785");
        let second = LogName::next(Some(first), 1_795_349_785);
        assert_eq!(second.encode(), "@00001795349785.000001");
        assert_eq!(LogName::next(Some(second), 1_795_349_786).encode(), "@00001795349786");
    }

    #[test]
    fn r6_when_the_clock_goes_back_the_newest_second_goes_on() {
        let newest = LogName::decode(b"@00001795349785");
        assert_eq!(LogName::next(newest, 5).encode(), "@00001795349785.000001");
        let last = LogName::decode(b"@00001795349785.999999");
        assert_eq!(LogName::next(last, 5).encode(), "@00001795349786");
    }

    #[test]
    fn names_of_others_are_not_ours() {
        for name in
            [&b"@foo"[..], b"@1795349785", b"@00001795349785.1", b"@00001795349785x", b"00001795349785"]
        {
            assert_eq!(LogName::decode(name), None);
        }
    }

    #[test]
    fn names_are_as_old_as_they_say_whoever_made_them() {
        let names = [
            "@00000935467440.000001",
            "@00000935467440",
            "@00000935467450",
            "@foo",
            "@4000000037c219bf2ef02e94.s",
            "other",
        ];
        let names: Vec<Vec<u8>> = names.iter().map(|name| name.as_bytes().to_vec()).collect();
        let oldest_first = [
            &b"@foo"[..],
            b"@00000935467440",
            b"@00000935467440.000001",
            b"@4000000037c219bf2ef02e94.s",
            b"@00000935467450",
        ];
        assert_eq!(logs(names), oldest_first);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn names_come_back_and_sort_like_their_bytes(
            one in (0_u64..99_999_999_999_000, 0_u32..1_000_000), other in (0_u64..3, 0_u32..3),
        ) {
            let one = LogName { second: one.0, repeat: one.1 };
            let other = LogName { second: one.second.saturating_sub(1) + other.0, repeat: other.1 };
            assert_eq!(LogName::decode(one.encode().as_bytes()), Some(one));
            assert_eq!(one.cmp(&other), one.encode().cmp(&other.encode()));
            assert!(LogName::next(Some(one), other.second) > one);
        }
    }
}
