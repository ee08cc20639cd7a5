//! What `maildirserial` and its client say to each other.
//!
//! ```text
//! to the client     NAME NUL  NAME NUL  …                 files, relative to the maildir
//! from the client   NAME NUL STATUS TEXT LF  …            K accepted, D refused for good, any other for now
//! ```
//!
//! A client may pass files over, and may stop before the end.

use crate::message::printable;
use std::io::{self, Read};

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The host has it.
    Accepted,
    /// The host may take it later.
    PutOff,
    /// The host will never take it.
    Refused,
}

impl Status {
    /// By its letter; one that is none is nothing that a message could be removed for.
    fn of(letter: Option<u8>) -> Status {
        match letter {
            Some(b'K') => Status::Accepted,
            Some(b'D') => Status::Refused,
            _ => Status::PutOff,
        }
    }

    fn letter(self) -> u8 {
        match self {
            Status::Accepted => b'K',
            Status::PutOff => b'Z',
            Status::Refused => b'D',
        }
    }
}

/// A client's report of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The file, as it was named to the client.
    pub name: Vec<u8>,
    /// What became of it.
    pub status: Status,
    /// What the host said, one line.
    pub text: Vec<u8>,
}

impl Report {
    /// As a client writes it. The text is cut and made printable: the host chose it.
    pub fn encode(&self) -> Vec<u8> {
        let text = self.text.get(..LONGEST_TEXT).unwrap_or(&self.text);
        [self.name.as_slice(), &[0, self.status.letter()], &printable::with(b'?', text), b"\n"].concat()
    }
}

/// What is put before a host's words: who they come from, if that is known.
pub fn said_by(address: Option<&[u8]>) -> Vec<u8> {
    address.map(|address| [address, b" said: "].concat()).unwrap_or_default()
}

/// 2000 bytes with the status.
const LONGEST_TEXT: usize = 1999;
/// Most of a name or a text that is kept of a report. No file name is as long, so one that is cut is none of ours.
const KEPT: usize = 8192;

/// Puts reports together from bytes that come cut anywhere.
#[derive(Debug, Default)]
pub struct Decoder {
    name: Vec<u8>,
    rest: Option<Vec<u8>>,
}

impl Decoder {
    /// Takes the next byte; the report if that was its last.
    pub fn feed(&mut self, byte: u8) -> Option<Report> {
        match (&mut self.rest, byte) {
            (None, 0) => self.rest = Some(Vec::new()),
            (None, _) => keep(&mut self.name, byte),
            (Some(_), b'\n') => {
                let done = std::mem::take(self);
                let rest = done.rest.unwrap_or_default();
                let text = rest.get(1..).unwrap_or_default().to_vec();
                return Some(Report { name: done.name, status: Status::of(rest.first().copied()), text });
            }
            (Some(rest), _) => keep(rest, byte),
        }
        None
    }
}

fn keep(kept: &mut Vec<u8>, byte: u8) {
    if kept.len() < KEPT {
        kept.push(byte);
    }
}

/// The names that a client is given.
#[derive(Debug, Default)]
pub struct Names {
    bytes: Vec<u8>,
    start: usize,
    ended: bool,
}

impl Names {
    /// The next name of those that have been read.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        let rest = self.bytes.get(self.start..)?;
        let length = memchr::memchr(0, rest)?;
        let name = rest.get(..length)?.to_vec();
        self.start = self.start.saturating_add(length).saturating_add(1);
        Some(name)
    }

    /// Reads once.
    ///
    /// # Errors
    /// It cannot be read, or a name has no end.
    pub fn read(&mut self, input: &mut impl Read) -> io::Result<()> {
        self.bytes.drain(..self.start);
        self.start = 0;
        if self.bytes.len() >= KEPT && memchr::memchr(0, &self.bytes).is_none() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut buffer = [0; 4096];
        let length = loop {
            match input.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => break done?,
            }
        };
        self.ended = length == 0;
        self.bytes.extend_from_slice(buffer.get(..length).unwrap_or_default());
        Ok(())
    }

    /// Whether nothing more will come.
    pub fn has_ended(&self) -> bool {
        self.ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    fn decoded(bytes: &[u8]) -> Vec<Report> {
        let mut decoder = Decoder::default();
        bytes.iter().filter_map(|byte| decoder.feed(*byte)).collect()
    }

    fn report(name: &str, status: Status, text: &str) -> Report {
        Report { name: name.into(), status, text: text.into() }
    }

    #[test]
    fn a_report_has_a_name_a_status_and_a_text() {
        let reports = decoded(b"new/a\0Kok\nnew/b\0D550 no\nnew/c\0Zlater\nnew/d\0?\nnew/e\0\nnew/f\0Khalf");
        assert_eq!(
            reports,
            [
                report("new/a", Status::Accepted, "ok"),
                report("new/b", Status::Refused, "550 no"),
                report("new/c", Status::PutOff, "later"),
                report("new/d", Status::PutOff, ""),
                report("new/e", Status::PutOff, ""),
            ]
        );
    }

    #[test]
    fn a_host_cannot_add_a_line_to_a_report() {
        let encoded = report("n", Status::Refused, "a\nn2\0Kb\x1b\u{e9}").encode();
        assert_eq!(encoded, b"n\0Da?n2?Kb???\n");
        let long = report("n", Status::PutOff, &"x".repeat(5000)).encode();
        assert_eq!(long.len(), "n\0".len() + 2000 + "\n".len());
    }

    #[test]
    fn m1_what_is_kept_of_an_endless_report_is_bounded() {
        let mut decoder = Decoder::default();
        assert!((0..100_000).all(|_| decoder.feed(b'x').is_none()));
        assert!(decoder.name.len() <= KEPT);
        decoder.feed(0);
        assert!((0..100_000).all(|_| decoder.feed(b'x').is_none()));
        assert!(decoder.rest.is_some_and(|rest| rest.len() <= KEPT));
    }

    #[test]
    fn m1_a_name_without_end_is_an_error() {
        let (mut names, mut endless) = (Names::default(), io::repeat(b'x'));
        assert!((0..100).any(|_| names.read(&mut endless).is_err()));
    }

    /// Gives as many bytes at once as it is told.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.1.min(self.0.len()).min(buffer.len());
            let (piece, rest) = self.0.split_at(length);
            buffer[..length].copy_from_slice(piece);
            self.0 = rest;
            Ok(length)
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(reports in proptest::collection::vec(
            ("[a-z/0-9.:,]{0,20}", 0..3, "[ -~]{0,60}"), 0..6)) {
            let status = [Status::Accepted, Status::PutOff, Status::Refused];
            let reports: Vec<Report> =
                reports.iter().map(|(name, at, text)| report(name, status[*at as usize], text)).collect();
            let wire: Vec<u8> = reports.iter().flat_map(Report::encode).collect();
            prop_assert_eq!(decoded(&wire), reports);
        }

        /// M7: any bytes, and no panic; no report has a name or a text that could be two.
        #[test]
        fn m7_any_bytes_are_reports_of_one_line(bytes in any::<Vec<u8>>()) {
            for report in decoded(&bytes) {
                prop_assert!(!report.name.contains(&0) && !report.text.contains(&b'\n'));
            }
        }

        #[test]
        fn names_are_the_same_wherever_they_are_cut(names in proptest::collection::vec("[a-z/]{0,9}", 0..9),
            rest in "[a-z]{0,3}", cut in 1_usize..9) {
            let wire: String = names.iter().map(|name| format!("{name}\0")).collect::<String>() + &rest;
            let (mut input, mut reader, mut found) = (Pieces(wire.as_bytes(), cut), Names::default(), Vec::new());
            while !reader.has_ended() {
                reader.read(&mut input).unwrap();
                while let Some(name) = reader.take() {
                    found.push(String::from_utf8(name).unwrap());
                }
            }
            prop_assert_eq!(found, names);
        }
    }
}
