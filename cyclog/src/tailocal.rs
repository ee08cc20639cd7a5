//! `tailocal` makes the stamps of a log readable: Unix seconds before a line become local time.
//!
//! Reads    fd 0: lines, as accustamp and svstat write them.
//! Writes   fd 1: the same lines with `YYYY-MM-DD HH:MM:SS` for the seconds; what follows them stays.
//! Runs as  anybody.   Trusts  nobody: bytes pass unchanged, and memory does not grow with them.
//! Exits    0 at the end of the input (also an unreadable one) · 111 silently when fd 1 fails.
//! Manual   tailocal(1).    Comes after cyclog, when somebody looks.
//!
//! The original took any digits, even none, for a stamp. Here a stamp is, at the first column,
//! * a number of nine digits or more (the time since March 1973) that is not part of a longer word, or
//! * a number of any length with a dot and exactly six digits after it, as accustamp writes it,
//!
//! whose local time has a year of four digits. Every other line passes unchanged.

use crate::filter;
use crate::line_start::{LineStart, LineStarts, Start};
use std::io::Write;
use unix::failure::Failure;
use unix::local_time::{self, LocalTime};
use unix::number;
use unix::program::{Exit, Invocation};

/// Runs `tailocal`. Arguments are ignored.
pub fn main(_: &Invocation) -> Result<Exit, Failure> {
    filter::run(&mut LineStarts::new(Converter::new(local_time::at)))
}

/// Replaces the stamp of each line.
pub struct Converter<Calendar> {
    calendar: Calendar,
    /// The last number that was converted and its text. Neighbouring lines often have the same second.
    last: Option<(u64, Vec<u8>)>,
}

impl<Calendar: FnMut(u64) -> Option<LocalTime>> Converter<Calendar> {
    /// Converts with the local times that `calendar` has for Unix seconds.
    pub fn new(calendar: Calendar) -> Self {
        Converter { calendar, last: None }
    }

    /// The text for a number of seconds, if there is one.
    fn text(&mut self, seconds: u64) -> Option<&[u8]> {
        if self.last.as_ref().is_none_or(|(known, _)| *known != seconds) {
            self.last = (self.calendar)(seconds).as_ref().and_then(format).map(|text| (seconds, text));
        }
        self.last.as_ref().map(|(_, text)| text.as_slice())
    }
}

impl<Calendar: FnMut(u64) -> Option<LocalTime>> LineStart for Converter<Calendar> {
    fn change(&mut self, line: &[u8], output: &mut Vec<u8>) -> Start {
        match Found::in_line(line) {
            Found::Undecided => Start::Undecided,
            Found::Plain => Start::Done(0),
            Found::Stamp { seconds, length } => match self.text(seconds) {
                Some(text) => {
                    output.extend_from_slice(text);
                    Start::Done(length)
                }
                None => Start::Done(0),
            },
        }
    }
}

/// What the first bytes of a line are.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// A stamp of so many bytes, without the dot and what follows it.
    Stamp { seconds: u64, length: usize },
    /// Something else.
    Plain,
    /// That depends on bytes to come. The bytes so far are at most [`LONGEST_NUMBER`] and eight more.
    Undecided,
}

impl Found {
    fn in_line(line: &[u8]) -> Found {
        let (seconds, length) = number::scan(line);
        if length == 0 || length > LONGEST_NUMBER {
            return Found::Plain;
        }
        let stamp = Found::Stamp { seconds, length };
        let Some((next, rest)) = line.get(length..).and_then(|rest| rest.split_first()) else {
            return Found::Undecided;
        };
        if length >= SHORTEST_NUMBER {
            return if next.is_ascii_alphanumeric() || !next.is_ascii() { Found::Plain } else { stamp };
        }
        if *next != b'.' {
            return Found::Plain;
        }
        match (number::scan(rest).1, rest.len()) {
            (digits, length) if digits == length && digits <= MICROSECOND_DIGITS => Found::Undecided,
            (MICROSECOND_DIGITS, _) => stamp,
            _ => Found::Plain,
        }
    }
}

/// `YYYY-MM-DD HH:MM:SS`; nothing for a year that this form has no room for.
fn format(time: &LocalTime) -> Option<Vec<u8>> {
    let LocalTime { year, month, day, hour, minute, second } = time;
    let mut text = Vec::with_capacity(19);
    // Writing to memory does not fail.
    let _ = write!(text, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}");
    (text.len() == 19).then_some(text)
}

/// Digits from which on a number is a stamp without its microseconds, too.
const SHORTEST_NUMBER: usize = 9;
/// Digits of the largest number of 64 bits. A longer one is no time.
const LONGEST_NUMBER: usize = 20;
/// Digits that accustamp writes after the dot.
const MICROSECOND_DIGITS: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Filter;
    use proptest::prelude::{ProptestConfig, proptest};

    /// A calendar in which the number of seconds is the year.
    fn years(seconds: u64) -> Option<LocalTime> {
        let year = i64::try_from(seconds % 1_000_000_000).ok()?;
        (seconds != 123_456_789).then_some(LocalTime {
            year,
            month: 1,
            day: 2,
            hour: 3,
            minute: 4,
            second: 5,
        })
    }

    fn converted(pieces: &[&[u8]]) -> String {
        let mut converter = LineStarts::new(Converter::new(years));
        let mut output = Vec::new();
        pieces.iter().for_each(|piece| converter.change(piece, &mut output));
        converter.finish(&mut output);
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn what_follows_the_seconds_stays() {
        assert_eq!(converted(&[b"1000001997.542713 one\n"]), "1997-01-02 03:04:05.542713 one\n");
        assert_eq!(converted(&[b"1000001997 up pid 12\n"]), "1997-01-02 03:04:05 up pid 12\n");
        assert_eq!(converted(&[b"1000001997\n1000001998:\n"]), "1997-01-02 03:04:05\n1998-01-02 03:04:05:\n");
        assert_eq!(
            converted(&[b"1970.000012 clock not set\n"]),
            "1970-01-02 03:04:05.000012 clock not set\n"
        );
    }

    #[test]
    fn lines_without_a_stamp_pass_unchanged() {
        let lines = "no stamp\n\n-5 x\n12 apples\n 1000001997 x\n192.168.0.1 x\n12345678 x\n1970.5 x\n\
                     1970.0000000 x\n1000001997f x\n1000001997\u{e9} x\n000000000000000001997 x\n.\n5.\n";
        assert_eq!(converted(&[lines.as_bytes()]), lines);
    }

    #[test]
    fn numbers_without_a_local_time_pass_unchanged() {
        let lines = "123456789 x\n1000010000 year 10000\n";
        assert_eq!(converted(&[lines.as_bytes()]), lines);
    }

    #[test]
    fn a_partial_last_line_is_converted_if_its_number_is_whole() {
        assert_eq!(converted(&[b"1000001997.5"]), "1997-01-02 03:04:05.5");
        assert_eq!(converted(&[b"x\n1000001997"]), "x\n1000001997");
        assert_eq!(converted(&[b"1970.00001"]), "1970.00001");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn where_reads_end_makes_no_difference(text in "([0-9]{1,12}|\\.[0-9]{5,7}|[ .x\n]){0,12}", at in 0_usize..80) {
            let (head, tail) = text.as_bytes().split_at(at.min(text.len()));
            let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            assert_eq!(converted(&[head, tail]), converted(&[text.as_bytes()]));
            assert_eq!(converted(&bytes), converted(&[text.as_bytes()]));
        }

        #[test]
        fn what_is_undecided_is_short(text in "[0-9.]{0,100}") {
            if Converter::new(years).change(text.as_bytes(), &mut Vec::new()) == Start::Undecided {
                assert!(text.len() <= LONGEST_NUMBER + 8);
            }
        }
    }
}
