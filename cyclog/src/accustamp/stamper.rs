//! The stamp before a line.

use crate::line_start::{LineStart, Start};
use std::io::Write;
use unix::stamp::Stamp;

/// Puts a stamp before the first byte of each line: Unix seconds, a dot, six digits of microseconds, a space.
///
/// A line without its newline at the end of the input stays one.
pub struct Stamper<Clock> {
    clock: Clock,
    /// The second that `seconds` shows. Most lines come in the same one as the line before.
    second: u64,
    /// The second as text, with the dot.
    seconds: Vec<u8>,
}

impl<Clock: FnMut() -> Stamp> Stamper<Clock> {
    /// Asks `clock` for the time of each line.
    pub fn new(clock: Clock) -> Self {
        Stamper { clock, second: 0, seconds: b"0.".to_vec() }
    }
}

impl<Clock: FnMut() -> Stamp> LineStart for Stamper<Clock> {
    fn change(&mut self, _: &[u8], output: &mut Vec<u8>) -> Start {
        let now = (self.clock)();
        if now.seconds != self.second {
            self.second = now.seconds;
            self.seconds.clear();
            // Writing to memory does not fail.
            let _ = write!(self.seconds, "{}.", now.seconds);
        }
        output.extend_from_slice(&self.seconds);
        output.extend_from_slice(&six_digits(now.microseconds()));
        output.push(b' ');
        Start::Done(0)
    }
}

/// A number below a million in six digits.
fn six_digits(number: u32) -> [u8; 6] {
    let mut digits = [b'0'; 6];
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789".get((rest % 10) as usize).copied().unwrap_or(b'0');
        rest /= 10;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Filter;
    use crate::line_start::LineStarts;
    use proptest::prelude::{ProptestConfig, any, proptest};

    /// A clock that is one microsecond later each time it is read.
    fn ticking(first: Stamp) -> impl FnMut() -> Stamp {
        let mut next = first;
        move || {
            let now = next;
            next.nanoseconds += 1000;
            next.seconds += u64::from(next.nanoseconds / 1_000_000_000);
            next.nanoseconds %= 1_000_000_000;
            now
        }
    }

    fn stamped(pieces: &[&[u8]]) -> String {
        let clock = ticking(Stamp { seconds: 9, nanoseconds: 999_998_000 });
        let mut stamper = LineStarts::new(Stamper::new(clock));
        let mut output = Vec::new();
        pieces.iter().for_each(|piece| stamper.change(piece, &mut output));
        stamper.finish(&mut output);
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn each_line_gets_the_time_of_its_first_byte() {
        assert_eq!(stamped(&[b"one\ntwo\nthree\n"]), "9.999998 one\n9.999999 two\n10.000000 three\n");
    }

    #[test]
    fn an_empty_line_is_stamped_and_a_partial_last_line_stays_partial() {
        assert_eq!(stamped(&[b"\nend"]), "9.999998 \n9.999999 end");
        assert_eq!(stamped(&[]), "");
    }

    #[test]
    fn microseconds_have_six_digits() {
        assert_eq!(&six_digits(0), b"000000");
        assert_eq!(&six_digits(1_020), b"001020");
        assert_eq!(&six_digits(999_999), b"999999");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn where_reads_end_makes_no_difference(input in proptest::collection::vec(any::<u8>(), 0..200), at in 0_usize..200) {
            let text: Vec<u8> = input.iter().map(|byte| if byte % 4 == 0 { b'\n' } else { b'a' + byte % 4 }).collect();
            let (head, tail) = text.split_at(at.min(text.len()));
            assert_eq!(stamped(&[head, tail]), stamped(&[&text]));
        }
    }
}
