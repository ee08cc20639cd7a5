//! The connection to one spawner: commands out, reports in.
//!
//! A command is a slot byte, then message file, sender and recipient, each with a NUL. A report is the slot
//! byte, the verdict's letter and text, and a NUL. Reports come in the order in which deliveries end.
//!
//! For more slots than the spawner offers of itself it is asked with a command that is no delivery (see
//! `spawn::request`). If it agrees, slots have two bytes from then on, the higher one first, in both directions.

use super::spawn::request::{MOST_SLOTS, SlotRequest};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use unix::{descriptor, number};

/// Longest report that is kept; later bytes of it are dropped.
const REPORT_LIMIT: usize = 10_000;
const READ_SIZE: usize = 2048;

/// One report of a spawner.
#[derive(Debug, PartialEq, Eq)]
pub struct Report {
    /// Which delivery.
    pub slot: u16,
    /// Letter and text.
    pub text: Vec<u8>,
}

/// Splits what a spawner sends into reports.
#[derive(Debug, Default)]
pub struct ReportDecoder {
    buffer: Vec<u8>,
    /// Whether slots have two bytes.
    wide: bool,
}

impl ReportDecoder {
    /// Takes the next piece. A slot byte may itself be NUL, so a report ends at a NUL after its slot.
    pub fn push(&mut self, piece: &[u8]) -> Vec<Report> {
        let mut reports = Vec::new();
        for byte in piece {
            match self.buffer.split_at_checked(if self.wide { 2 } else { 1 }) {
                Some((slot, text)) if *byte == 0 => {
                    let slot = slot.iter().fold(0, |slot: u16, byte| slot.wrapping_shl(8) | u16::from(*byte));
                    reports.push(Report { slot, text: text.to_vec() });
                    self.buffer.clear();
                }
                _ if self.buffer.len() < REPORT_LIMIT => self.buffer.push(*byte),
                _ => {}
            }
        }
        reports
    }
}

/// A living spawner, or what is left of one.
pub struct Spawner {
    commands: File,
    reports: File,
    unsent: Vec<u8>,
    decoder: ReportDecoder,
    alive: bool,
}

impl Spawner {
    /// Takes over the two descriptors and reads the spawner's own limit of deliveries at once. If more are
    /// wanted, it is asked for them; what comes back is what it grants.
    ///
    /// # Errors
    /// The spawner did not start.
    pub fn connect(commands: OwnedFd, reports: OwnedFd, wanted: usize) -> io::Result<(Spawner, usize)> {
        descriptor::set_nonblocking(&commands, true)?;
        let mut reports = File::from(reports);
        let mut limit = [0];
        reports.read_exact(&mut limit)?;
        let [limit] = limit;
        let commands = File::from(commands);
        let mut spawner =
            Spawner { commands, reports, unsent: Vec::new(), decoder: ReportDecoder::default(), alive: true };
        let granted = if wanted > usize::from(limit) { spawner.ask_for_slots(wanted)? } else { None };
        Ok((spawner, granted.unwrap_or(usize::from(limit))))
    }

    /// Asks for more slots; nothing if the spawner knows of no such thing. It has nothing else to do yet.
    fn ask_for_slots(&mut self, wanted: usize) -> io::Result<Option<usize>> {
        let wanted = u16::try_from(wanted).unwrap_or(MOST_SLOTS);
        self.commands.write_all(&SlotRequest(wanted).encode())?;
        loop {
            let mut byte = [0];
            self.reports.read_exact(&mut byte)?;
            if let Some(report) = self.decoder.push(&byte).pop() {
                let granted = report.text.strip_prefix(b"K").and_then(number::whole);
                self.decoder.wide = granted.is_some();
                return Ok(granted.and_then(|granted| usize::try_from(granted).ok()));
            }
        }
    }

    /// Whether it is still there.
    pub fn is_alive(&self) -> bool {
        self.alive
    }

    /// Whether a command can be given to it now.
    pub fn can_take(&self) -> bool {
        self.alive && self.unsent.is_empty()
    }

    /// Gives it a delivery.
    pub fn start_delivery(&mut self, slot: u16, message_file: &str, sender: &[u8], recipient: &[u8]) {
        let [higher, lower] = slot.to_be_bytes();
        if self.decoder.wide {
            self.unsent.push(higher);
        }
        self.unsent.push(lower);
        for string in [message_file.as_bytes(), sender, recipient] {
            self.unsent.extend_from_slice(string);
            self.unsent.push(0);
        }
        self.send_pending();
    }

    /// Goes on sending what could not be sent before.
    pub fn send_pending(&mut self) {
        while self.alive && !self.unsent.is_empty() {
            match self.commands.write(&self.unsent) {
                Ok(length) => drop(self.unsent.drain(..length.min(self.unsent.len()))),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.alive = false,
            }
        }
    }

    /// Reads what is there; call it when the descriptor is ready.
    pub fn read_reports(&mut self) -> Vec<Report> {
        let mut piece = [0; READ_SIZE];
        match self.reports.read(&mut piece) {
            Ok(length) if length > 0 => self.decoder.push(piece.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Vec::new(),
            _ => {
                self.alive = false;
                Vec::new()
            }
        }
    }

    /// What to wait for until reports come.
    pub fn reports(&self) -> Option<BorrowedFd<'_>> {
        self.alive.then(|| self.reports.as_fd())
    }

    /// What to wait for until pending commands can be sent.
    pub fn commands(&self) -> Option<BorrowedFd<'_>> {
        (self.alive && !self.unsent.is_empty()).then(|| self.commands.as_fd())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_split_whatever_the_pieces_and_slot_0_is_a_slot() {
        let stream = b"\0Kok\n\0\x05Zlater\0\x07\0";
        let expected = [(0, &b"Kok\n"[..]), (5, b"Zlater"), (7, b"")];
        let mut decoder = ReportDecoder::default();
        let reports: Vec<Report> = stream.iter().flat_map(|byte| decoder.push(&[*byte])).collect();
        let reports: Vec<(u16, &[u8])> =
            reports.iter().map(|report| (report.slot, report.text.as_slice())).collect();
        assert_eq!(reports, expected);
    }

    #[test]
    fn slots_of_two_bytes_are_read_with_the_higher_one_first() {
        let mut decoder = ReportDecoder { wide: true, ..ReportDecoder::default() };
        let stream = b"\0\0Kok\0\x01\0Zlater\0\0\x07\0\xff\xfeDno\0";
        let reports: Vec<Report> = stream.iter().flat_map(|byte| decoder.push(&[*byte])).collect();
        let reports: Vec<(u16, &[u8])> =
            reports.iter().map(|report| (report.slot, report.text.as_slice())).collect();
        assert_eq!(reports, [(0, &b"Kok"[..]), (256, b"Zlater"), (7, b""), (65_534, b"Dno")]);
    }

    /// M6
    #[test]
    fn m6_an_endless_report_is_bounded() {
        let mut decoder = ReportDecoder::default();
        for _ in 0..100 {
            assert!(decoder.push(&[b'x'; 1000]).is_empty());
        }
        let reports = decoder.push(b"\0");
        assert_eq!(reports.first().map(|report| report.text.len()), Some(REPORT_LIMIT - 1));
    }
}
