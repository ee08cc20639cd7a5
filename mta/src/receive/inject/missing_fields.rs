//! The fields that a message has to have and that did not come in. They go before the others.

use super::Moment;
use super::failure;
use super::fields::Fields;
use super::options::Wishes;
use super::recipients::HeaderRecipients;
use super::sender::Identity;
use crate::control::NameSet;
use crate::message::address::{self, Completion};
use crate::message::header_field::FieldName;
use crate::message::tokens::{self, Malformed, Token};
use crate::message::{date, quote};
use unix::failure::Failure;

/// An empty group: RFC 822 wants one recipient field at least.
const NO_RECIPIENTS_SHOWN: &[u8] = b"Cc: recipient list not shown: ;\n";

/// What the missing fields are made of.
pub struct Sources<'a> {
    /// Who sends the message.
    pub identity: &'a Identity,
    /// How he wants his address to look.
    pub wishes: Wishes,
    /// When.
    pub moment: Moment,
    /// What his address is completed with.
    pub completion: &'a Completion,
    /// The host of the Message-ID.
    pub id_host: &'a [u8],
    /// The mailing lists that he reads, if he says so: answers to them need not come to him as well.
    pub mailing_lists: Option<&'a NameSet>,
}

impl Sources<'_> {
    /// The fields that this message lacks.
    ///
    /// # Errors
    /// Permanent: the environment makes no address.
    pub fn missing_in(&self, fields: &Fields) -> Result<Vec<u8>, Failure> {
        if fields.is_resent() { self.missing_in_resent(fields) } else { self.missing_in_new(fields) }
    }

    fn missing_in_new(&self, fields: &Fields) -> Result<Vec<u8>, Failure> {
        let mut missing = Vec::new();
        if !fields.has(FieldName::Date) {
            missing.extend(self.date());
        }
        if !fields.has(FieldName::MessageId) {
            missing.extend(self.message_id());
        }
        if !fields.has(FieldName::From) {
            missing.extend(self.from()?);
        }
        if !fields.has(FieldName::To) && !fields.has(FieldName::Cc) {
            missing.extend_from_slice(NO_RECIPIENTS_SHOWN);
        }
        if !fields.has(FieldName::MailFollowupTo) {
            missing.extend(self.mail_followup_to(&fields.recipients));
        }
        Ok(missing)
    }

    fn missing_in_resent(&self, fields: &Fields) -> Result<Vec<u8>, Failure> {
        let mut missing = Vec::new();
        let mut add = |field: &[u8]| missing.extend([b"Resent-", field].concat());
        if !fields.has(FieldName::ResentDate) {
            add(&self.date());
        }
        if !fields.has(FieldName::ResentMessageId) {
            add(&self.message_id());
        }
        if !fields.has(FieldName::ResentFrom) {
            add(&self.from()?);
        }
        if !fields.has(FieldName::ResentTo) && !fields.has(FieldName::ResentCc) {
            add(NO_RECIPIENTS_SHOWN);
        }
        Ok(missing)
    }

    fn date(&self) -> Vec<u8> {
        format!("Date: {}\n", date::rfc5322(self.moment.seconds)).into_bytes()
    }

    fn message_id(&self) -> Vec<u8> {
        let unique = format!("{}.{}", date::compact(self.moment.seconds), self.moment.pid);
        [b"Message-ID: <", unique.as_bytes(), b".qmail@", self.id_host, b">\n"].concat()
    }

    /// `From: "Name" <user@host>` or `From: user@host (Name)`.
    ///
    /// It is written and read again like a field that came in, so that its host is completed. That makes odd
    /// things of a host with special characters, as it does in the original.
    fn from(&self) -> Result<Vec<u8>, Failure> {
        let written = tokens::write_field(&self.tokens_of_from());
        tokens::lex(&written)
            .and_then(|tokens| address::rewrite_field(tokens, |address| self.completion.rewrite(address)))
            .map_err(|Malformed| failure::unparsable_line(&written))
    }

    fn tokens_of_from(&self) -> Vec<Token<'_>> {
        let Identity { user, host, name, .. } = self.identity;
        let user = if quote::needs_quotes(user) { Token::quoted(user) } else { Token::atom(user) };
        let mut address = vec![user];
        if let Some(host) = host {
            address.extend([Token::At, Token::atom(host)]);
        }
        let mut field = vec![Token::atom("From"), Token::Colon];
        match name {
            None => field.append(&mut address),
            Some(name) if self.wishes.name_as_comment => {
                field.append(&mut address);
                field.push(Token::comment(name));
            }
            Some(name) => {
                field.extend([Token::quoted(name), Token::Less]);
                field.append(&mut address);
                field.push(Token::Greater);
            }
        }
        field
    }

    /// If the message goes to one of the sender's mailing lists, answers shall go to those addresses alone.
    fn mail_followup_to(&self, recipients: &HeaderRecipients) -> Vec<u8> {
        let Some(lists) = self.mailing_lists else { return Vec::new() };
        let to_and_cc: Vec<&[u8]> = recipients.to_and_cc().collect();
        if !to_and_cc.iter().any(|address| lists.contains(address)) {
            return Vec::new();
        }
        let addresses: Vec<Vec<u8>> = to_and_cc.iter().rev().map(|address| quote::address(address)).collect();
        [b"Mail-Followup-To: ", addresses.join(&b",\n  "[..]).as_slice(), b"\n"].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use unix::environment::Environment;

    fn missing(variables: &[(&str, &str)], lists: Option<&[&str]>, fields: &[&str]) -> String {
        let mut environment = Environment::empty();
        for (name, value) in variables {
            environment.set(name, value);
        }
        let completion = Completion::new(b"M.x", b"plus", b"dom").unwrap();
        let wishes = Wishes::from_environment(&environment);
        let lists =
            lists.map(|lists| NameSet::new(lists.iter().map(|list| list.as_bytes().to_vec()).collect()));
        let sources = Sources {
            identity: &Identity::from_environment(&environment),
            wishes,
            moment: Moment { seconds: 1_704_164_645, pid: 42 },
            completion: &completion,
            id_host: b"id.example",
            mailing_lists: lists.as_ref(),
        };
        let fields: Vec<Vec<u8>> = fields.iter().map(|field| format!("{field}\n").into_bytes()).collect();
        let fields = Fields::treat(&fields, wishes, &completion).unwrap();
        String::from_utf8(sources.missing_in(&fields).unwrap()).unwrap()
    }

    /// The default From of these variables.
    fn from(variables: &[(&str, &str)]) -> String {
        missing(variables, None, &["Date: x", "Message-ID: x", "To: x"])
    }

    #[test]
    fn a_new_message_gets_the_four_fields_in_order() {
        assert_eq!(
            missing(&[("USER", "joe")], None, &["Bcc: x", "Apparently-To: y"]),
            "Date: 2 Jan 2024 03:04:05 -0000\nMessage-ID: <20240102030405.42.qmail@id.example>\n\
             From: joe@M.x\nCc: recipient list not shown: ;\n"
        );
        assert_eq!(missing(&[], None, &["Date: x", "Message-ID: x", "From: x", "Cc: x"]), "");
    }

    #[test]
    fn a_message_sent_on_gets_resent_fields_only() {
        assert_eq!(
            missing(&[("USER", "joe")], None, &["Resent-Bcc: x", "To: y"]),
            "Resent-Date: 2 Jan 2024 03:04:05 -0000\nResent-Message-ID: <20240102030405.42.qmail@id.example>\n\
             Resent-From: joe@M.x\nResent-Cc: recipient list not shown: ;\n"
        );
        let complete = ["Resent-Date: x", "Resent-Message-ID: x", "Resent-From: x", "Resent-Cc: x"];
        assert_eq!(missing(&[], None, &complete), "");
    }

    #[test]
    fn a_name_stands_before_the_address_or_in_a_comment_after_it() {
        let joe = [("USER", "joe"), ("NAME", "Joe (x) \"Q\" Shmoe")];
        assert_eq!(from(&joe), "From: \"Joe \\(x\\) \\\"Q\\\" Shmoe\" <joe@M.x>\n");
        assert_eq!(from(&[("USER", "joe"), ("NAME", "")]), "From: \"\" <joe@M.x>\n");
        assert_eq!(from(&[("USER", "joe"), ("NAME", "N"), ("QMAILINJECT", "c")]), "From: joe@M.x (N)\n");
    }

    #[test]
    fn odd_users_are_quoted_and_odd_hosts_come_out_odd() {
        assert_eq!(from(&[("USER", "we ird")]), "From: \"we ird\"@M.x\n");
        assert_eq!(from(&[("USER", "")]), "From: \"\"@M.x\n");
        assert_eq!(from(&[("USER", "j"), ("MAILHOST", "[1.2.3.4]")]), "From: j@\\[1.2.3.\"4\\]\"\n");
        assert_eq!(from(&[("USER", "j"), ("MAILHOST", "a b")]), "From: j@a.dom, b@M.x\n");
    }

    #[test]
    fn answers_to_a_list_go_to_its_to_and_cc_addresses() {
        let fields =
            ["Date: x", "Message-ID: x", "From: x", "To: a, List, b", "Cc: c, \"d e\"@f.g", "Bcc: h"];
        let expected = "Mail-Followup-To: c@M.x,\n  \"d e\"@f.g,\n  a@M.x,\n  List@M.x,\n  b@M.x\n";
        assert_eq!(missing(&[], Some(&["other@x.y", "list@m.X"]), &fields), expected);
        assert_eq!(missing(&[], Some(&["list"]), &fields), "");
        assert_eq!(missing(&[], None, &fields), "");
        let has_one = [&fields[..], &["Mail-Followup-To: z"]].concat();
        assert_eq!(missing(&[], Some(&["list@M.x"]), &has_one), "");
    }
}
