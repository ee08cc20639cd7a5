//! `qreceipt` tells the sender of a message that it was delivered, if he asked for that.
//!
//! Reads    fd 0: the message; SENDER, which qmail-local sets.
//! Writes   the queue, by qmail-queue.
//! Runs as  the owner of the `.qmail` file.     Trusts  its argument.
//! Exits    0 · 100 called wrongly, a field that cannot be read, or refused by the queue · 111 try again.
//! Manual   qreceipt(1), qmail-header(5).    Next in the flow: queue::client.

use crate::message::address;
use crate::message::header_field::{self, FieldName, HeaderError};
use crate::message::quote;
use crate::message::tokens::{self, Malformed};
use crate::queue::client::Submission;
use crate::queue::enqueue_error::Class;
use crate::queue::envelope::DOUBLE_BOUNCE_SENDER;
use crate::setup::home::Home;
use std::io::BufReader;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::{descriptor, inherited};

const USAGE: &str = "qreceipt deliveryaddress";
const HEADER_LIMIT: usize = 4 * 1024 * 1024;

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let address = invocation.arguments.first().ok_or(Failure::usage(USAGE))?;
    let environment = invocation.environment();
    let sender = environment.get("SENDER").ok_or(Failure::usage(USAGE))?;
    inherited::check(0).map_err(|_| read_error())?;
    match header_field::read_header(&mut BufReader::new(descriptor::input()), HEADER_LIMIT) {
        Ok(header) => {
            let is_bounce = sender.is_empty() || sender == DOUBLE_BOUNCE_SENDER;
            if is_wanted(&header.fields, address)? && !is_bounce {
                send(sender, &notice(sender, address, &header.fields))?;
            }
        }
        // The message can be delivered without a notice.
        Err(HeaderError::TooLong) => invocation.warn("header too long, no notice sent"),
        Err(HeaderError::Read(_)) => return Err(read_error()),
    }
    Ok(Exit::SUCCESS)
}

fn read_error() -> Failure {
    Failure::temporary("read error")
}

/// Whether a field asks for a notice of delivery to this address.
fn is_wanted(fields: &[Vec<u8>], wanted: &[u8]) -> Result<bool, Failure> {
    let mut found = false;
    for field in fields {
        if FieldName::of(field) == FieldName::NoticeRequestedUponDeliveryTo {
            let collect =
                |tokens| address::rewrite_field(tokens, |one| found |= address::value(one) == wanted);
            tokens::lex(field).and_then(collect).map_err(|Malformed| unparsable(field))?;
        }
    }
    Ok(found)
}

fn unparsable(field: &[u8]) -> Failure {
    let field = field.strip_suffix(b"\n").unwrap_or(field);
    Failure::permanent([b"unable to parse this: ", field].concat())
}

fn notice(sender: &[u8], address: &[u8], fields: &[Vec<u8>]) -> Vec<u8> {
    let quoted = quote::address(sender);
    let mut text = [
        b"From: DELIVERY NOTICE SYSTEM <",
        quoted.as_slice(),
        b">\nTo: <",
        &quoted,
        b">\nSubject: success notice\n\n",
        b"Hi! This is the qreceipt program. Your message was delivered to the\nfollowing address: ",
        address,
        b". Thanks for asking.\n",
    ]
    .concat();
    if let Some(field) = fields.iter().rev().find(|field| FieldName::of(field) == FieldName::MessageId) {
        text.extend([b"Your ", field.as_slice()].concat());
    }
    text
}

/// Queues the notice, as a message that never bounces.
fn send(recipient: &[u8], notice: &[u8]) -> Result<(), Failure> {
    let home = Home::of_this_program()?;
    let mut submission =
        Submission::start(&home).map_err(|error| Failure::temporary("unable to fork").because(&error))?;
    submission.put(notice);
    let mut envelope = submission.envelope(b"");
    envelope.recipient(recipient);
    envelope.close().map_err(|refusal| match refusal.class {
        Class::Permanent => Failure::permanent("permanent qmail-queue error"),
        Class::Temporary => Failure::temporary("temporary qmail-queue error"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(fields: &[&str], address: &str) -> Result<bool, Failure> {
        let fields: Vec<Vec<u8>> = fields.iter().map(|field| format!("{field}\n").into_bytes()).collect();
        is_wanted(&fields, address.as_bytes())
    }

    #[test]
    fn a_field_has_to_name_the_address_exactly() {
        let field = "Notice-Requested-Upon-Delivery-To: a@b, \"c d\"@e (x), F <g@h>";
        for address in ["a@b", "c d@e", "g@h"] {
            assert!(wanted(&["To: x", field], address).unwrap(), "{address}");
        }
        for address in ["A@b", "a", "F", "a@b.c", ""] {
            assert!(!wanted(&[field], address).unwrap(), "{address}");
        }
        assert!(!wanted(&["To: a@b"], "a@b").unwrap());
    }

    #[test]
    fn a_field_that_is_no_list_is_refused_with_its_text() {
        let failure = wanted(&["Notice-requested-upon-delivery-to: ("], "a").unwrap_err();
        assert_eq!(failure.text(), b"unable to parse this: Notice-requested-upon-delivery-to: (");
        assert_eq!(failure.exit(), Exit::PERMANENT);
    }
}
