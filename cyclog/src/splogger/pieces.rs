//! Lines, cut into pieces that syslog takes, in bounded memory.

use unix::stamp::Stamp;

/// One entry for syslog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// How serious the line is.
    pub severity: Severity,
    /// `SECONDS.MICROSECONDS`, then a blank and the line, or `+` and what follows of it.
    pub text: Vec<u8>,
}

/// What the beginning of a line says about it, as syslog numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Severity {
    /// `alert:`
    Alert = 1,
    /// `warning:`
    Warning = 4,
    /// Anything else.
    Info = 6,
}

impl Severity {
    fn of(line: &[u8]) -> Severity {
        if line.starts_with(b"warning:") {
            Severity::Warning
        } else if line.starts_with(b"alert:") {
            Severity::Alert
        } else {
            Severity::Info
        }
    }
}

/// The line that is being read.
#[derive(Default)]
pub struct Pieces {
    /// What of it was not given out yet, at most [`LIMIT`] bytes.
    line: Vec<u8>,
    /// Stamp and severity of the line, once its first piece was given out.
    begun: Option<(Stamp, Severity)>,
}

impl Pieces {
    /// Takes input and gives out the pieces that it completes. What comes after the last newline waits for its
    /// own; at the end of the input there is nobody left to complete it.
    pub fn take(&mut self, input: &[u8], now: impl Fn() -> Stamp, mut log: impl FnMut(&Piece)) {
        for byte in input {
            if *byte == b'\n' {
                if !self.line.is_empty() {
                    log(&self.piece(&now));
                }
                self.begun = None;
                continue;
            }
            if self.line.len() >= LIMIT {
                log(&self.piece(&now));
            }
            self.line.push(if (32..=126).contains(byte) { *byte } else { b'?' });
        }
    }

    fn piece(&mut self, now: impl Fn() -> Stamp) -> Piece {
        let first =
            (self.begun.is_none(), *self.begun.get_or_insert_with(|| (now(), Severity::of(&self.line))));
        let (is_first, (stamp, severity)) = first;
        let separator = if is_first { ' ' } else { '+' };
        let mut text = format!("{}.{:06}{separator}", stamp.seconds, stamp.microseconds()).into_bytes();
        text.append(&mut self.line);
        Piece { severity, text }
    }
}

/// How much of a line is one entry. syslogd has to take 1,024 bytes with all that stands around it (RFC 3164 §4.1).
const LIMIT: usize = 799;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Stamp = Stamp { seconds: 1_795_350_587, nanoseconds: 40_978_999 };

    /// The pieces of an input that comes in parts of this size.
    fn read(input: &[u8], size: usize) -> Vec<(Severity, String)> {
        let (mut pieces, mut found) = (Pieces::default(), Vec::new());
        for part in input.chunks(size) {
            pieces.take(
                part,
                || NOW,
                |piece| {
                    found.push((piece.severity, String::from_utf8(piece.text.clone()).unwrap()));
                },
            );
        }
        found
    }

    #[test]
    fn a_line_has_its_stamp_and_what_its_beginning_says() {
        let stamped = |severity, text: &str| (severity, format!("1795350587.040978 {text}"));
        let expected = [
            stamped(Severity::Warning, "warning: x"),
            stamped(Severity::Alert, "alert: oh no"),
            stamped(Severity::Info, " warning:"),
            stamped(Severity::Info, "a?b?c?"),
        ];
        let input = b"warning: x\n\nalert: oh no\n\n warning:\na\tb\xffc\0\nunfinished";
        for size in [1, 7, 1000] {
            assert_eq!(read(input, size), expected);
        }
    }

    #[test]
    fn a_long_line_is_cut_and_its_parts_belong_together() {
        let line = [&b"warning: "[..], &[b'x'; 790 + 799 + 3]].concat();
        let pieces = read(&[&line[..], b"\nnext\n"].concat(), 100);
        let lengths: Vec<usize> = pieces.iter().map(|(_, text)| text.len() - 18).collect();
        assert_eq!(lengths, [799, 799, 3, 4]);
        assert_eq!(pieces[1], (Severity::Warning, format!("1795350587.040978+{}", "x".repeat(799))));
        assert_eq!(pieces[2].1, "1795350587.040978+xxx");
        assert_eq!(pieces[3], (Severity::Info, "1795350587.040978 next".to_owned()));
    }

    #[test]
    fn a_line_that_fills_a_piece_is_one() {
        assert_eq!(read(&[&[b'x'; 799][..], b"\n"].concat(), 4096).len(), 1);
        assert_eq!(read(&[&[b'x'; 800][..], b"\n"].concat(), 4096).len(), 2);
    }
}
