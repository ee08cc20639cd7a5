//! The envelope of one delivery, in the form that SMTP commands want.

use super::report::MessageReport;
use crate::message::quote;

/// Sender and recipients, quoted, and without anything that could end a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The reverse path; empty for bounces.
    pub sender: Vec<u8>,
    /// The forward paths.
    pub recipients: Vec<Vec<u8>>,
}

impl Envelope {
    /// The envelope of these addresses.
    ///
    /// # Errors
    /// An address cannot be sent, whatever host is asked: a permanent report.
    pub fn new(sender: &[u8], recipients: &[Vec<u8>]) -> Result<Envelope, MessageReport> {
        if has_control_characters(sender) {
            return Err(MessageReport::UnsendableSender);
        }
        for recipient in recipients {
            if has_control_characters(recipient) {
                return Err(MessageReport::UnsendableRecipient);
            }
            if recipient.is_empty() || recipient.iter().rposition(|byte| *byte == b'@') == Some(0) {
                return Err(MessageReport::NoLocalPart);
            }
        }
        let recipients = recipients.iter().map(|recipient| quote::address(recipient)).collect();
        Ok(Envelope { sender: quote::address(sender), recipients })
    }
}

/// A line break inside an address, even a quoted one, would end the command and begin another.
fn has_control_characters(address: &[u8]) -> bool {
    address.iter().any(u8::is_ascii_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(sender: &str, recipient: &str) -> Result<Envelope, MessageReport> {
        Envelope::new(sender.as_bytes(), &[recipient.as_bytes().to_vec()])
    }

    #[test]
    fn local_parts_are_quoted_where_they_need_it_and_domains_never() {
        let quoted = envelope("we\"ird@src.example", "a b@[odd domain]").unwrap();
        assert_eq!(quoted.sender, b"\"we\\\"ird\"@src.example");
        assert_eq!(quoted.recipients, [b"\"a b\"@[odd domain]".to_vec()]);
        assert_eq!(
            envelope("", "joe").unwrap(),
            Envelope { sender: vec![], recipients: vec![b"joe".to_vec()] }
        );
    }

    /// S5: within quotes a `>` does not end the address.
    #[test]
    fn s5_an_address_without_host_is_quoted_like_others() {
        let quoted = envelope("x> SIZE=1", "a b").unwrap();
        assert_eq!(quoted.sender, b"\"x> SIZE=1\"");
        assert_eq!(quoted.recipients, [b"\"a b\"".to_vec()]);
    }

    #[test]
    fn b5_an_address_without_local_part_bounces() {
        assert_eq!(envelope("", "@x.example"), Err(MessageReport::NoLocalPart));
        assert_eq!(envelope("", ""), Err(MessageReport::NoLocalPart));
    }

    #[test]
    fn s5_an_address_that_would_be_two_commands_is_not_sent() {
        assert_eq!(envelope("a\r\nDATA@b", "c@d"), Err(MessageReport::UnsendableSender));
        assert_eq!(envelope("a@b", "c@d>\nRSET"), Err(MessageReport::UnsendableRecipient));
        assert_eq!(envelope("a@b", "c\x7f@d"), Err(MessageReport::UnsendableRecipient));
    }
}
