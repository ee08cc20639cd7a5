//! The rules of rotation: where a file ends, what the next one is called, which ones have to go. No I/O.

use unix::number;

/// How much is kept, and where files are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that a file may have.
    pub size: u64,
    /// Files that may be there, the one being written included.
    pub files: u64,
    /// A newline ends the file when at most so many bytes of `size`, itself among them, were left.
    pub margin: u64,
}

/// What of some bytes goes into a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// So many bytes from the start.
    pub length: usize,
    /// Whether the file is complete with them.
    pub ends_file: bool,
}

impl Limits {
    /// What of `bytes` goes into a file that holds `written` bytes and is not complete.
    ///
    /// `written + part.length <= size`, and a part that does not end the file is all of `bytes`.
    pub fn part(&self, written: u64, bytes: &[u8]) -> Part {
        let room = usize::try_from(self.size.saturating_sub(written)).unwrap_or(usize::MAX);
        let fitting = bytes.get(..room).unwrap_or(bytes);
        // The newline that ends the file is its byte number size - margin, counted from 0, or a later one.
        let before = self.size.saturating_sub(self.margin).saturating_sub(written);
        let skipped = usize::try_from(before).unwrap_or(usize::MAX);
        let newline = fitting.get(skipped..).and_then(|late| memchr::memchr(b'\n', late));
        match newline {
            Some(at) => Part { length: skipped.saturating_add(at).saturating_add(1), ends_file: true },
            None => Part { length: fitting.len(), ends_file: fitting.len() == room },
        }
    }
}

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

    /// The name as it stands in the directory.
    pub fn encode(self) -> String {
        match self.repeat {
            0 => format!("@{:014}", self.second),
            repeat => format!("@{:014}.{repeat:06}", self.second),
        }
    }
}

/// The files that have to go before another one is made, oldest first.
///
/// All names that begin with `@` count. Those of others are as old as the number after the `@` says (none is the
/// oldest); a name of `multilog` is as old as its TAI64N label.
pub fn to_remove(mut names: Vec<Vec<u8>>, files: u64) -> Vec<Vec<u8>> {
    names.retain(|name| name.starts_with(b"@"));
    names.sort_by_cached_key(|name| (second_of(name), name.clone()));
    let kept = usize::try_from(files.saturating_sub(1)).unwrap_or(usize::MAX);
    names.truncate(names.len().saturating_sub(kept));
    names
}

fn second_of(name: &[u8]) -> u64 {
    let label = name.get(1..).unwrap_or_default();
    tai64n_second(label).unwrap_or_else(|| number::scan(label).0)
}

/// The second of a label of 24 hexadecimal digits, of which the first 16 are 2^62 + 10 + Unix seconds.
fn tai64n_second(label: &[u8]) -> Option<u64> {
    let digits = label.get(..24).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
    let seconds = std::str::from_utf8(digits.get(..16)?).ok()?;
    u64::from_str_radix(seconds, 16).ok()?.checked_sub((1 << 62) + 10)
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
    use proptest::prelude::{ProptestConfig, any, proptest};

    /// The files that input makes when it comes in pieces.
    fn files(limits: Limits, pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut files = vec![Vec::new()];
        let mut complete = false;
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() {
                if complete {
                    files.push(Vec::new());
                }
                let file = files.last_mut().unwrap();
                let part = limits.part(file.len() as u64, rest);
                file.extend_from_slice(&rest[..part.length]);
                rest = &rest[part.length..];
                complete = part.ends_file;
                assert!(complete || rest.is_empty());
            }
        }
        files
    }

    fn lengths(limits: Limits, input: &[u8]) -> Vec<usize> {
        files(limits, &[input]).iter().map(Vec::len).collect()
    }

    #[test]
    fn a_file_ends_at_the_first_newline_in_the_margin() {
        let input: String = (1..=400).map(|number| format!("{number}\n")).collect();
        let limits = Limits { size: 600, files: 3, margin: 50 };
        assert_eq!(lengths(limits, input.as_bytes()), [552, 552, 388]);
    }

    #[test]
    fn a_file_without_a_newline_in_the_margin_ends_at_its_size() {
        let limits = Limits { size: 600, files: 3, margin: 50 };
        assert_eq!(lengths(limits, &[b'x'; 1300]), [600, 600, 100]);
        assert_eq!(lengths(limits, &[b'x'; 1200]), [600, 600]);
        let early = [&[b'x'; 549][..], b"\n", &[b'x'; 100]].concat();
        assert_eq!(lengths(limits, &early), [600, 50]);
        let first_in_margin = [&[b'x'; 550][..], b"\n", &[b'x'; 100]].concat();
        assert_eq!(lengths(limits, &first_in_margin), [551, 100]);
    }

    #[test]
    fn without_margin_newlines_do_not_matter_and_a_large_one_ends_a_file_at_each() {
        assert_eq!(lengths(Limits { size: 512, files: 3, margin: 0 }, &[b'\n'; 1000]), [512, 488]);
        assert_eq!(lengths(Limits { size: 600, files: 3, margin: 9999 }, b"one\ntwo\nx"), [4, 4, 1]);
    }

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
    fn the_oldest_go_whoever_named_them() {
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
        assert_eq!(to_remove(names.clone(), 1), oldest_first);
        assert_eq!(to_remove(names.clone(), 3), oldest_first[..3]);
        assert!(to_remove(names, 6).is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn what_goes_in_is_what_the_files_hold(
            input in proptest::collection::vec(any::<u8>(), 0..600), at in 0_usize..600,
            size in 1_u64..100, margin in 0_u64..120,
        ) {
            let limits = Limits { size, files: 2, margin };
            let text: Vec<u8> = input.iter().map(|byte| if byte % 8 == 0 { b'\n' } else { *byte }).collect();
            let (head, tail) = text.split_at(at.min(text.len()));
            let files = files(limits, &[head, tail]);
            assert_eq!(files.concat(), text);
            assert_eq!(files, super::tests::files(limits, &[&text]));
            let (_, complete) = files.split_last().unwrap();
            for file in complete {
                let length = file.len() as u64;
                assert!(length == size || length < size && length + margin > size && file.ends_with(b"\n"));
            }
        }

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
