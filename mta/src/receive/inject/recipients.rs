//! Who gets the message: recipients from arguments and from header fields.

use super::failure;
use super::options::{Options, RecipientSource};
use crate::message::address::Completion;
use crate::message::tokens::Malformed;
use unix::failure::Failure;

/// Which list a recipient field belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// To and Cc, which every recipient sees.
    ToAndCc,
    /// Bcc and Apparently-To.
    Hidden,
    /// Resent-To, Resent-Cc and Resent-Bcc.
    Resent,
}

/// The addresses of recipient fields, in the order in which they were met: field by field, and from right to
/// left in each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderRecipients {
    addresses: Vec<(List, Vec<u8>)>,
}

impl HeaderRecipients {
    /// Adds an address.
    pub fn add(&mut self, list: List, address: Vec<u8>) {
        self.addresses.push((list, address));
    }

    /// The addresses of To and Cc.
    pub fn to_and_cc(&self) -> impl Iterator<Item = &[u8]> {
        let shown = self.addresses.iter().filter(|(list, _)| *list == List::ToAndCc);
        shown.map(|(_, address)| address.as_slice())
    }

    /// The recipients that the header gives: of a message sent on, those of the Resent fields alone.
    fn into_recipients(self, is_resent: bool) -> impl Iterator<Item = Vec<u8>> {
        let counts = move |list: List| (list == List::Resent) == is_resent;
        self.addresses.into_iter().filter(move |(list, _)| counts(*list)).map(|(_, address)| address)
    }
}

/// The recipients that the arguments give, each completed.
///
/// # Errors
/// Permanent, with the argument: it is no address.
pub fn from_arguments(options: &Options, completion: &Completion) -> Result<Vec<Vec<u8>>, Failure> {
    if options.recipients == RecipientSource::Header {
        return Ok(Vec::new());
    }
    let complete = |argument: &Vec<u8>| {
        completion.rewrite_argument(argument).map_err(|Malformed| failure::unparsable_address(argument))
    };
    options.arguments.iter().map(complete).collect()
}

/// The recipients of the envelope. There may be none, and one may stand there twice.
pub fn of_envelope(
    source: RecipientSource,
    mut arguments: Vec<Vec<u8>>,
    header: HeaderRecipients,
    is_resent: bool,
) -> Vec<Vec<u8>> {
    if source != RecipientSource::Arguments {
        arguments.extend(header.into_recipients(is_resent));
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receive::inject::options::Destination;

    fn recipients(source: RecipientSource, is_resent: bool) -> Vec<Vec<u8>> {
        let options = Options {
            recipients: source,
            sender: None,
            destination: Destination::Queue,
            arguments: vec![b"arg".to_vec(), b"".to_vec()],
        };
        let completion = Completion::new(b"M.x", b"", b"").unwrap();
        let mut header = HeaderRecipients::default();
        header.add(List::ToAndCc, b"to".to_vec());
        header.add(List::Hidden, b"bcc".to_vec());
        header.add(List::Resent, b"resent".to_vec());
        of_envelope(source, from_arguments(&options, &completion).unwrap(), header, is_resent)
    }

    #[test]
    fn recipients_come_from_where_the_option_says() {
        assert_eq!(recipients(RecipientSource::Arguments, false), [&b"arg@M.x"[..], b""]);
        assert_eq!(recipients(RecipientSource::Header, false), [&b"to"[..], b"bcc"]);
        assert_eq!(
            recipients(RecipientSource::ArgumentsAndHeader, false),
            [&b"arg@M.x"[..], b"", b"to", b"bcc"]
        );
    }

    #[test]
    fn a_message_sent_on_goes_to_the_resent_recipients_alone() {
        assert_eq!(recipients(RecipientSource::Header, true), [b"resent"]);
        assert_eq!(recipients(RecipientSource::Arguments, true), [&b"arg@M.x"[..], b""]);
    }
}
