//! What becomes of each header field that comes in: passed on, rewritten, dropped, read for recipients.

use super::failure;
use super::options::Wishes;
use super::recipients::{HeaderRecipients, List};
use super::sender;
use crate::message::address::{self, Completion};
use crate::message::header_field::FieldName;
use crate::message::tokens::{self, Malformed};
use std::collections::BTreeSet;
use unix::failure::Failure;

/// The header, read and rewritten.
#[derive(Debug, Default)]
pub struct Fields {
    /// The fields that are passed on, in order.
    pub kept: Vec<u8>,
    /// The addresses of recipient fields.
    pub recipients: HeaderRecipients,
    /// The sender that a Return-Path field gives.
    pub return_path: Option<Vec<u8>>,
    present: BTreeSet<FieldName>,
}

/// What is done with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Treatment {
    /// Passed on as it is.
    Keep,
    /// Not passed on.
    Drop,
    /// Rewritten. What is no list of addresses is refused.
    Rewrite,
    /// Rewritten, and its addresses are recipients. What is no list of addresses is passed on as it is, for
    /// a list of recipients that nobody could read is no reason to refuse a message.
    Recipients { list: List, kept: bool },
    /// Read for the sender and not passed on.
    ReturnPath,
}

impl Treatment {
    fn of(name: FieldName) -> Treatment {
        match name {
            FieldName::To | FieldName::Cc => Treatment::Recipients { list: List::ToAndCc, kept: true },
            FieldName::ApparentlyTo => Treatment::Recipients { list: List::Hidden, kept: true },
            FieldName::Bcc => Treatment::Recipients { list: List::Hidden, kept: false },
            FieldName::ResentTo | FieldName::ResentCc => {
                Treatment::Recipients { list: List::Resent, kept: true }
            }
            FieldName::ResentBcc => Treatment::Recipients { list: List::Resent, kept: false },
            FieldName::ReturnPath => Treatment::ReturnPath,
            FieldName::From
            | FieldName::Sender
            | FieldName::ReplyTo
            | FieldName::ReturnReceiptTo
            | FieldName::ErrorsTo
            | FieldName::ResentSender
            | FieldName::ResentFrom
            | FieldName::ResentReplyTo => Treatment::Rewrite,
            // A length that was true before the header changed.
            FieldName::ContentLength => Treatment::Drop,
            FieldName::ContentTransferEncoding
            | FieldName::ContentType
            | FieldName::Date
            | FieldName::DeliveredTo
            | FieldName::MailFollowupTo
            | FieldName::MessageId
            | FieldName::NoticeRequestedUponDeliveryTo
            | FieldName::Received
            | FieldName::ResentDate
            | FieldName::ResentMessageId
            | FieldName::Subject
            | FieldName::Other => Treatment::Keep,
        }
    }
}

impl Fields {
    /// Treats the fields of a message, in order.
    ///
    /// # Errors
    /// Permanent, with the field: it has to be a list of addresses and is none.
    pub fn treat(fields: &[Vec<u8>], wishes: Wishes, completion: &Completion) -> Result<Fields, Failure> {
        let mut treated = Fields::default();
        for field in fields {
            let name = FieldName::of(field);
            if !is_unwanted(name, wishes) {
                treated.present.insert(name);
                treated.treat_field(field, Treatment::of(name), wishes, completion)?;
            }
        }
        Ok(treated)
    }

    /// Whether the field came in (and was wanted).
    pub fn has(&self, name: FieldName) -> bool {
        self.present.contains(&name)
    }

    /// Whether the message has been received before and is sent on: then fields and recipients are those
    /// whose names begin with `Resent-`.
    pub fn is_resent(&self) -> bool {
        [
            FieldName::ResentSender,
            FieldName::ResentFrom,
            FieldName::ResentReplyTo,
            FieldName::ResentTo,
            FieldName::ResentCc,
            FieldName::ResentBcc,
            FieldName::ResentDate,
            FieldName::ResentMessageId,
        ]
        .into_iter()
        .any(|name| self.has(name))
    }

    fn treat_field(
        &mut self,
        field: &[u8],
        treatment: Treatment,
        wishes: Wishes,
        completion: &Completion,
    ) -> Result<(), Failure> {
        match treatment {
            Treatment::Keep => self.kept.extend_from_slice(field),
            Treatment::Drop => {}
            Treatment::Rewrite => {
                let rewritten = rewrite(field, completion, |_| {});
                self.kept.extend(rewritten.map_err(|Malformed| failure::unparsable_line(field))?);
            }
            Treatment::Recipients { list, kept } => {
                let rewritten = rewrite(field, completion, |address| self.recipients.add(list, address));
                if kept {
                    self.kept.extend(rewritten.unwrap_or_else(|Malformed| field.to_vec()));
                }
            }
            Treatment::ReturnPath => {
                let mut first = None;
                rewrite(field, completion, |address| {
                    first.get_or_insert(address);
                })
                .map_err(|Malformed| failure::unparsable_line(field))?;
                if let (None, Some(address)) = (&self.return_path, first) {
                    self.return_path = Some(sender::from_return_path(address, wishes));
                }
            }
        }
        Ok(())
    }
}

/// Whether QMAILINJECT asks to treat the field as if it had not come in.
fn is_unwanted(name: FieldName, wishes: Wishes) -> bool {
    match name {
        FieldName::From => wishes.drop_from,
        FieldName::MessageId => wishes.drop_message_id,
        FieldName::ReturnPath => wishes.drop_return_path,
        _ => false,
    }
}

/// The field with its addresses completed, each of which is reported, from right to left.
fn rewrite(
    field: &[u8],
    completion: &Completion,
    mut report: impl FnMut(Vec<u8>),
) -> Result<Vec<u8>, Malformed> {
    address::rewrite_field(tokens::lex(field)?, |address| {
        completion.rewrite(address);
        report(address::value(address));
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use unix::program::Exit;

    fn treat(fields: &[&str], letters: &str) -> Result<Fields, Failure> {
        let mut environment = unix::environment::Environment::empty();
        environment.set("QMAILINJECT", letters);
        let fields: Vec<Vec<u8>> = fields.iter().map(|field| format!("{field}\n").into_bytes()).collect();
        let completion = Completion::new(b"M", b"plus", b"dom").unwrap();
        Fields::treat(&fields, Wishes::from_environment(&environment), &completion)
    }

    fn kept(fields: &[&str]) -> String {
        String::from_utf8(treat(fields, "").unwrap().kept).unwrap()
    }

    #[test]
    fn fields_with_addresses_are_rewritten_and_others_are_copied() {
        for name in ["From", "Sender", "Reply-To", "Return-Receipt-To", "Errors-To", "Resent-Sender", "cc"] {
            assert_eq!(kept(&[&format!("{name} : a@b")]), format!("{name}: a@b.dom\n"));
        }
        for field in ["Subject\t : a@b\n  c", "Mail-Followup-To: a@b", "X: (", "Delivered-To: a@b"] {
            assert_eq!(kept(&[field]), format!("{field}\n"));
        }
    }

    #[test]
    fn bcc_resent_bcc_return_path_and_content_length_are_not_passed_on() {
        assert_eq!(
            kept(&["Bcc: a", "Resent-Bcc: a", "Return-Path: a", "Content-Length: 1", "To: a"]),
            "To: a@M.dom\n"
        );
    }

    #[test]
    fn a_field_that_is_no_list_is_refused_unless_it_names_recipients() {
        for name in ["From", "Reply-To", "Return-Path", "Resent-From"] {
            let failure = treat(&[&format!("{name}: a:b")], "").unwrap_err();
            assert_eq!(failure.exit(), Exit::PERMANENT, "{name}");
        }
        for name in ["To", "Cc", "Apparently-To", "Resent-To"] {
            assert_eq!(kept(&[&format!("{name}: a:b,")]), format!("{name}: a:b,\n"));
        }
        assert_eq!(kept(&["Bcc: a:b", "Resent-Bcc: ("]), "");
    }

    #[test]
    fn the_rightmost_address_of_the_first_return_path_with_one_is_the_sender() {
        let sender = |fields: &[&str], letters| treat(fields, letters).unwrap().return_path;
        let fields = ["Return-Path: <foo@bar>, <baz>", "Return-Path: <later>"];
        assert_eq!(sender(&fields, "").unwrap(), b"baz@M.dom");
        assert_eq!(sender(&["Return-Path: <>"], "").unwrap(), b"");
        assert_eq!(sender(&["Return-Path: ", "Return-Path: <a@b.c>"], "").unwrap(), b"a@b.c");
        assert_eq!(sender(&["Return-Path: <a@b.c>"], "rm").unwrap(), b"a@b.c-@[]");
        assert_eq!(sender(&["Return-Path: a:b"], "s"), None);
    }

    #[test]
    fn an_unwanted_field_counts_as_absent() {
        let fields = ["From: (", "Message-ID: x", "Subject: s"];
        let treated = treat(&fields, "fi").unwrap();
        assert_eq!(treated.kept, b"Subject: s\n");
        assert!(!treated.has(FieldName::From) && !treated.has(FieldName::MessageId));
    }

    #[test]
    fn each_of_the_eight_resent_fields_makes_a_message_resent() {
        for name in ["Sender", "From", "Reply-To", "To", "Cc", "Bcc", "Date", "Message-ID"] {
            assert!(treat(&[&format!("Resent-{name}: a")], "").unwrap().is_resent(), "{name}");
        }
        assert!(!treat(&["Resent-Other: a", "To: a"], "").unwrap().is_resent());
    }
}
