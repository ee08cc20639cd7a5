//! The lines that a delivery puts before the message: where it came from and to whom it was delivered.

use super::delivery::Delivery;
use crate::deliver::mailbox::mbox;
use crate::message::quote;

/// The three lines, each with its line end. Without a line end inside: an address cannot add a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderLines {
    /// `Delivered-To: local@domain`, by which a message that comes again is known.
    pub delivered_to: Vec<u8>,
    /// `Return-Path: <sender>`, the sender quoted as in a header.
    pub return_path: Vec<u8>,
    /// `From sender date`, the line before a message in an mbox.
    pub from: Vec<u8>,
}

impl HeaderLines {
    /// The lines for a delivery at some moment, in Unix seconds.
    pub fn new(delivery: &Delivery, now: u64) -> HeaderLines {
        let sender = &delivery.sender;
        HeaderLines {
            delivered_to: line(&[b"Delivered-To: ", &delivery.recipient()]),
            return_path: line(&[b"Return-Path: <", &quote::address(sender), b">"]),
            from: mbox::from_line(sender, now),
        }
    }

    /// What comes before a message in an mbox.
    pub fn for_mbox(&self) -> Vec<u8> {
        [self.from.as_slice(), &self.return_path, &self.delivered_to].concat()
    }

    /// What comes before a message in a maildir.
    pub fn for_maildir(&self) -> Vec<u8> {
        [self.return_path.as_slice(), &self.delivered_to].concat()
    }
}

fn line(parts: &[&[u8]]) -> Vec<u8> {
    let text = parts.concat();
    text.iter().map(|byte| if *byte == b'\n' { b'_' } else { *byte }).chain([b'\n']).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn delivery(ext: &str, domain: &str, sender: &str) -> Delivery {
        Delivery {
            user: b"joe".to_vec(),
            home: b"/home/joe".to_vec(),
            local: format!("joe-{ext}").into_bytes(),
            dash: b"-".to_vec(),
            ext: ext.into(),
            domain: domain.into(),
            sender: sender.into(),
            default_delivery: b"./Mailbox".to_vec(),
        }
    }

    fn lines(sender: &str) -> [String; 3] {
        let lines = HeaderLines::new(&delivery("a\nb", "h.example", sender), 1_000_000_000);
        [lines.from, lines.return_path, lines.delivered_to].map(|line| String::from_utf8(line).unwrap())
    }

    #[test]
    fn an_address_cannot_end_its_line() {
        let [from, return_path, delivered_to] = lines("a b\nc@d");
        assert_eq!(from, "From a-b-c@d Sun Sep 09 01:46:40 2001\n");
        assert_eq!(return_path, "Return-Path: <\"a b\\_c\"@d>\n");
        assert_eq!(delivered_to, "Delivered-To: joe-a_b@h.example\n");
    }

    #[test]
    fn a_bounce_comes_from_mailer_daemon() {
        let [from, return_path, _] = lines("");
        assert_eq!(from, "From MAILER-DAEMON Sun Sep 09 01:46:40 2001\n");
        assert_eq!(return_path, "Return-Path: <>\n");
    }
}
