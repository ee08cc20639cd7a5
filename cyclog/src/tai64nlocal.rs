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

use crate::filter::{self, Filter};
use crate::label;
use std::io::Write;
use unix::failure::Failure;
use unix::local_time::{self, LocalTime};
use unix::program::{Exit, Invocation};

/// Runs `tai64nlocal`. Arguments are ignored.
pub fn main(_: &Invocation) -> Result<Exit, Failure> {
    filter::run_strictly(&mut Converter::new(local_time::at))
}

/// Replaces the label of each line.
pub struct Converter<Calendar> {
    calendar: Calendar,
    at_line_start: bool,
    /// The start of a line that does not yet show whether it has a label: at most [`label::LENGTH`] bytes.
    held: Vec<u8>,
    /// The last second that was converted and its text. Neighbouring lines often have the same one.
    last: Option<(i64, Vec<u8>)>,
}

impl<Calendar: FnMut(i64) -> Option<LocalTime>> Converter<Calendar> {
    /// Converts with the local times that `calendar` has for Unix seconds.
    pub fn new(calendar: Calendar) -> Self {
        Converter { calendar, at_line_start: true, held: Vec::new(), last: None }
    }

    /// Appends the local time that a label stands for. Whether it was one.
    pub fn convert(&mut self, text: &[u8], output: &mut Vec<u8>) -> bool {
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

impl<Calendar: FnMut(i64) -> Option<LocalTime>> Filter for Converter<Calendar> {
    fn change(&mut self, input: &[u8], output: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        let joined;
        let mut rest = if held.is_empty() {
            input
        } else {
            joined = [&held, input].concat();
            &joined
        };
        while !rest.is_empty() {
            if self.at_line_start {
                let digits = rest.iter().skip(1).take_while(|byte| label::is_digit(**byte));
                let length = digits.count().saturating_add(1);
                let starts_one = rest.starts_with(b"@") && length <= label::LENGTH;
                if starts_one && length == rest.len() {
                    self.held = rest.to_vec();
                    return;
                }
                let (label, after) = rest.split_at_checked(length).unwrap_or((rest, b""));
                if starts_one && self.convert(label, output) {
                    rest = after;
                }
            }
            let (line, after) = filter::split_line(rest);
            output.extend_from_slice(line);
            self.at_line_start = line.ends_with(b"\n");
            rest = after;
        }
    }

    /// The end of the input inside a label: who knows whether it was whole? It stays as it is.
    fn finish(&mut self, output: &mut Vec<u8>) {
        output.append(&mut self.held);
    }
}

fn format(time: &LocalTime) -> Vec<u8> {
    let LocalTime { year, month, day, hour, minute, second } = time;
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let mut converter = Converter::new(years);
        let mut output = Vec::new();
        pieces.iter().for_each(|piece| converter.change(piece, &mut output));
        assert!(converter.held.len() <= label::LENGTH);
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
    }
}
