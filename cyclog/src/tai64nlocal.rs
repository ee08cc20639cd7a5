//! `tai64nlocal` makes TAI64N labels readable: a label at the start of a line becomes local time.
//!
//! Reads    fd 0: lines, as tai64n and multilog write them.
//! Writes   fd 1: the same lines with `YYYY-MM-DD HH:MM:SS.NNNNNNNNN` for the label; what follows it stays.
//! Runs as  anybody.   Trusts  nobody: bytes pass unchanged, and memory does not grow with them.
//! Exits    0 at the end of the input · 111 silently when fd 0 or fd 1 fails.
//! Manual   tai64nlocal(8).    Comes after multilog, when somebody looks.
//!
//! The original took `@` and any digits for a label and died of most of them. Here a label has exactly 24 digits and
//! a local time; every other line passes unchanged, and so does a label that the end of the input may have cut.

use crate::filter;
use crate::label;
use crate::line_start::{LineStart, LineStarts, Start};
use std::io::Write;
use unix::failure::Failure;
use unix::local_time::{self, LocalTime};
use unix::program::{Exit, Invocation};

/// Runs `tai64nlocal`. Arguments are ignored.
pub fn main(_: &Invocation) -> Result<Exit, Failure> {
    filter::run_strictly(&mut LineStarts::new(Converter::new(local_time::at)))
}

/// Replaces the label of each line.
pub struct Converter<Calendar> {
    calendar: Calendar,
    /// The last second that was converted and its text. Neighbouring lines often have the same one.
    last: Option<(i64, Vec<u8>)>,
}

impl<Calendar: FnMut(i64) -> Option<LocalTime>> Converter<Calendar> {
    /// Converts with the local times that `calendar` has for Unix seconds.
    pub fn new(calendar: Calendar) -> Self {
        Converter { calendar, last: None }
    }

    /// Appends the local time that a label stands for. Whether it was one.
    fn convert(&mut self, text: &[u8], output: &mut Vec<u8>) -> bool {
        let Some(moment) = label::decode(text) else { return false };
        if self.last.as_ref().is_none_or(|(known, _)| *known != moment.seconds) {
            self.last = (self.calendar)(moment.seconds).as_ref().map(|time| (moment.seconds, format(time)));
        }
        let Some((_, text)) = &self.last else { return false };
        output.extend_from_slice(text);
        // Writing to memory does not fail.
        let _ = write!(output, ".{:09}", moment.nanoseconds);
        true
    }
}

impl<Calendar: FnMut(i64) -> Option<LocalTime>> LineStart for Converter<Calendar> {
    /// A label with nothing after it is undecided: a 25th digit would make it none.
    fn change(&mut self, line: &[u8], output: &mut Vec<u8>) -> Start {
        let digits = line.iter().skip(1).take_while(|byte| label::is_digit(**byte)).take(label::LENGTH);
        let length = digits.count().saturating_add(1);
        if !line.starts_with(b"@") || length > label::LENGTH {
            return Start::Done(0);
        }
        match line.split_at_checked(length) {
            Some((_, b"")) => Start::Undecided,
            Some((text, _)) if self.convert(text, output) => Start::Done(length),
            _ => Start::Done(0),
        }
    }
}

fn format(time: &LocalTime) -> Vec<u8> {
    let LocalTime { year, month, day, hour, minute, second } = time;
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Filter;
    use proptest::prelude::{ProptestConfig, proptest};

    /// A calendar in which the number of seconds is the year.
    fn years(seconds: i64) -> Option<LocalTime> {
        (seconds != 77).then_some(LocalTime {
            year: seconds,
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
    fn a_label_becomes_local_time_and_what_follows_it_stays() {
        // 0x7d7 is 2007, ten seconds ahead of 1997.
        assert_eq!(converted(&[b"@40000000000007d72ef02e94 mark\n"]), "1997-01-02 03:04:05.787492500 mark\n");
        assert_eq!(converted(&[b"@40000000000007d700000001\n"]), "1997-01-02 03:04:05.000000001\n");
        assert_eq!(converted(&[b"@40000000000007d7ffef2e94:"]), "1997-01-02 03:04:05.4293865108:");
    }

    #[test]
    fn other_lines_pass_unchanged() {
        let lines = "@\n@zz\n@40000000 x\n@40000000000007D72EF02E94 x\n@40000000000007d72ef02e945 x\n\n \
                     @40000000000007d72ef02e94\n@400000000000005700000000 no local time\n\
                     @ffffffffffffffffffffffff x\n@40000000000007d72ef02e94";
        assert_eq!(converted(&[lines.as_bytes()]), lines);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn where_reads_end_makes_no_difference(text in "(@[0-9a-f]{0,3}|@40000000000007d[0-9a-f]{8,10}|[ x\n]){0,9}", at in 0_usize..120) {
            let (head, tail) = text.as_bytes().split_at(at.min(text.len()));
            let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            assert_eq!(converted(&[head, tail]), converted(&[text.as_bytes()]));
            assert_eq!(converted(&bytes), converted(&[text.as_bytes()]));
        }

        #[test]
        fn what_is_undecided_is_short(text in "@?[0-9a-f]{0,60}") {
            if Converter::new(years).change(text.as_bytes(), &mut Vec::new()) == Start::Undecided {
                assert!(text.len() <= label::LENGTH);
            }
        }
    }
}
