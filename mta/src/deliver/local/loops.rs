//! Loops: a message that has our own Delivered-To line was here before.
//!
//! Hosts on the way may change the case of an address, and fold a line (RFC 5322 §2.2.3); neither makes it
//! another address.

use super::refusal::Refusal;
use std::io::{BufRead, BufReader, Read};

/// More of a field than this is not needed to tell ours; a field of any length takes no more memory.
const FIELD_LIMIT: usize = 16 * 1024;

/// Refuses a message whose header says that it was delivered to this recipient before.
pub fn check(message: impl Read, recipient: &[u8]) -> Result<(), Refusal> {
    let mut header = BufReader::new(message);
    let mut field = Vec::new();
    loop {
        let line = read_line(&mut header)?;
        let continues = matches!(line.first(), Some(b' ' | b'\t')) && line.len() > 1;
        if !continues && is_delivered_to(&field, recipient) {
            return Err(Refusal::Looping);
        }
        // A blank line ends the header. So does a line without an end, which is not looked at.
        if line.len() <= 1 || !line.ends_with(b"\n") {
            return Ok(());
        }
        if !continues {
            field.clear();
        }
        let room = FIELD_LIMIT.saturating_sub(field.len());
        field.extend(line.iter().take(room));
    }
}

/// A line, of which a long one loses its middle.
fn read_line(header: &mut impl BufRead) -> Result<Vec<u8>, Refusal> {
    let mut line = Vec::new();
    loop {
        let available = match header.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Refusal::MessageUnreadable(error)),
        };
        let end = memchr::memchr(b'\n', available);
        let taken = end.map_or(available.len(), |end| end.saturating_add(1));
        let room = FIELD_LIMIT.saturating_sub(line.len());
        line.extend(available.iter().take(taken.min(room)));
        if end.is_some() && line.last() != Some(&b'\n') {
            line.push(b'\n');
        }
        let at_end = available.is_empty();
        header.consume(taken);
        if end.is_some() || at_end {
            return Ok(line);
        }
    }
}

fn is_delivered_to(field: &[u8], recipient: &[u8]) -> bool {
    let Some(colon) = field.iter().position(|byte| *byte == b':') else { return false };
    let Some((name, value)) = field.split_at_checked(colon) else { return false };
    let value: Vec<u8> =
        value.get(1..).unwrap_or_default().iter().copied().filter(|byte| !is_blank(*byte)).collect();
    let recipient: Vec<u8> =
        recipient.iter().copied().map(as_in_a_line).filter(|byte| !is_blank(*byte)).collect();
    name.trim_ascii_end().eq_ignore_ascii_case(b"Delivered-To") && value.eq_ignore_ascii_case(&recipient)
}

/// A carriage return is none: lines that end in one are not ours.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n')
}

/// The line that we write has no line end inside.
fn as_in_a_line(byte: u8) -> u8 {
    if byte == b'\n' { b'_' } else { byte }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loops(message: &str) -> bool {
        check(message.as_bytes(), b"Joe-list@h.example").is_err()
    }

    #[test]
    fn our_own_line_anywhere_in_the_header_is_a_loop() {
        assert!(loops("Delivered-To: Joe-list@h.example\n"));
        assert!(loops("A: b\nDelivered-To: x@y\nDelivered-To: Joe-list@h.example\nC: d\n\nbody\n"));
    }

    /// B1
    #[test]
    fn b1_case_and_folding_do_not_make_it_another_line() {
        assert!(loops("delivered-to: joe-LIST@H.example\n\n"));
        assert!(loops("Delivered-To:\n Joe-list@h.example\n\n"));
        assert!(loops("Delivered-To:Joe-list\n\t@h.example \nA: b\n\n"));
    }

    #[test]
    fn lines_of_others_and_of_the_body_are_none() {
        assert!(!loops("Delivered-To: joe@h.example\n\nDelivered-To: Joe-list@h.example\n"));
        assert!(!loops("X-Delivered-To: Joe-list@h.example\nSubject: Delivered-To: Joe-list@h.example\n\n"));
        assert!(!loops("Delivered-To: Joe-list@h.example.org\n\n"));
        assert!(!loops("A: b\r\n\r\nDelivered-To: Joe-list@h.example\r\n"));
        assert!(!loops("Delivered-To: Joe-list@h.example"), "the line has no end");
    }

    #[test]
    fn a_line_of_any_length_is_passed_over() {
        let long = "x".repeat(3 * FIELD_LIMIT);
        assert!(loops(&format!("A: {long}\nDelivered-To: Joe-list@h.example\n\n")));
        assert!(!loops(&format!("Delivered-To: Joe-list@h.example{long}\n\n")));
    }
}
