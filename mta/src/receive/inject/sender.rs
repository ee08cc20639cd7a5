//! Who sends the message: the user as the environment describes him, and the envelope sender.

use super::Moment;
use super::options::Wishes;
use crate::message::address::{self, Completion};
use crate::message::tokens::{self, Malformed, Token};
use unix::environment::Environment;

/// At the end of an envelope sender: qmail-send puts the recipient in its place, for each recipient another.
const PER_RECIPIENT: &[u8] = b"-@[]";

/// The user, as the environment describes him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The local part of his address in From.
    pub user: Vec<u8>,
    /// The host of it; without one, the default host is added.
    pub host: Option<Vec<u8>>,
    /// His name; an empty one is a name too.
    pub name: Option<Vec<u8>>,
    /// The local part of the envelope sender.
    pub sender_user: Vec<u8>,
    /// The host of the envelope sender.
    pub sender_host: Option<Vec<u8>>,
}

impl Identity {
    /// Reads the variables; of those for one purpose the first that is set counts, even if it is empty.
    pub fn from_environment(environment: &Environment) -> Identity {
        let first = |names: &[&str]| names.iter().find_map(|name| environment.get(name)).map(<[u8]>::to_vec);
        let user = first(&["QMAILUSER", "MAILUSER", "USER", "LOGNAME"]).unwrap_or(b"anonymous".to_vec());
        let host = first(&["QMAILHOST", "MAILHOST"]);
        Identity {
            name: first(&["QMAILNAME", "MAILNAME", "NAME"]),
            sender_user: first(&["QMAILSUSER"]).unwrap_or_else(|| user.clone()),
            sender_host: first(&["QMAILSHOST"]).or_else(|| host.clone()),
            user,
            host,
        }
    }

    /// The envelope sender if neither an option nor the message gives one.
    pub fn default_sender(
        &self,
        wishes: Wishes,
        moment: Moment,
        completion: &Completion,
    ) -> Result<Vec<u8>, Malformed> {
        let mut user = self.sender_user.clone();
        if wishes.sender_per_message {
            user.extend_from_slice(format!("-{}.{}", moment.seconds, moment.pid).as_bytes());
        }
        if wishes.sender_per_recipient {
            user.push(b'-');
        }
        // The user is one word whatever it holds; the host is written and read again, so that its dots count.
        let mut parts = vec![Token::quoted(&user)];
        if let Some(host) = &self.sender_host {
            parts.extend([Token::At, Token::atom(host)]);
        }
        let written = tokens::write_field(&parts);
        let mut address = tokens::lex(&written)?;
        completion.rewrite(&mut address);
        Ok(with_recipient_mark(address::value(&address), wishes))
    }
}

/// The sender that a Return-Path field gives, of which `address` is the one that counts.
pub fn from_return_path(address: Vec<u8>, wishes: Wishes) -> Vec<u8> {
    with_recipient_mark(address, wishes)
}

fn with_recipient_mark(mut sender: Vec<u8>, wishes: Wishes) -> Vec<u8> {
    if wishes.sender_per_recipient {
        sender.extend_from_slice(PER_RECIPIENT);
    }
    sender
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Moment = Moment { seconds: 1_795_349_656, pid: 4578 };
    const PLAIN: Wishes = Wishes {
        name_as_comment: false,
        drop_return_path: false,
        drop_from: false,
        drop_message_id: false,
        sender_per_recipient: false,
        sender_per_message: false,
    };
    const PER_RECIPIENT_WISH: Wishes = Wishes { sender_per_recipient: true, ..PLAIN };
    const PER_MESSAGE_WISH: Wishes = Wishes { sender_per_message: true, ..PLAIN };

    fn identity(variables: &[(&str, &str)]) -> Identity {
        let mut environment = Environment::empty();
        for (name, value) in variables {
            environment.set(name, value);
        }
        Identity::from_environment(&environment)
    }

    fn sender(variables: &[(&str, &str)], wishes: Wishes) -> String {
        let completion = Completion::new(b"mx.example.org", b"plus.example", b"mx.example.org").unwrap();
        let sender = identity(variables).default_sender(wishes, MOMENT, &completion).unwrap();
        String::from_utf8_lossy(&sender).into_owned()
    }

    #[test]
    fn the_first_variable_that_is_set_counts_even_if_it_is_empty() {
        let found =
            identity(&[("LOGNAME", "l"), ("USER", ""), ("MAILHOST", "m"), ("QMAILHOST", "q"), ("NAME", "")]);
        assert_eq!((found.user.as_slice(), found.host.as_deref()), (&b""[..], Some(&b"q"[..])));
        assert_eq!(found.name.as_deref(), Some(&b""[..]));
        assert_eq!(identity(&[]).user, b"anonymous");
    }

    #[test]
    fn the_senders_user_and_host_follow_those_of_from() {
        assert_eq!(sender(&[("USER", "joe")], PLAIN), "joe@mx.example.org");
        assert_eq!(sender(&[("USER", "joe"), ("MAILHOST", "h.example")], PLAIN), "joe@h.example");
        assert_eq!(
            sender(&[("USER", "joe"), ("QMAILSUSER", "s"), ("QMAILSHOST", "h")], PLAIN),
            "s@h.mx.example.org"
        );
    }

    #[test]
    fn the_wishes_mark_the_sender() {
        let joe = [("USER", "joe")];
        let both = Wishes { sender_per_message: true, ..PER_RECIPIENT_WISH };
        assert_eq!(sender(&joe, PER_MESSAGE_WISH), "joe-1795349656.4578@mx.example.org");
        assert_eq!(sender(&joe, PER_RECIPIENT_WISH), "joe-@mx.example.org-@[]");
        assert_eq!(sender(&joe, both), "joe-1795349656.4578-@mx.example.org-@[]");
        assert_eq!(from_return_path(b"a@b".to_vec(), both), b"a@b-@[]");
        assert_eq!(from_return_path(b"a@b".to_vec(), PER_MESSAGE_WISH), b"a@b");
    }

    #[test]
    fn odd_users_and_hosts_make_an_address_all_the_same() {
        assert_eq!(sender(&[("USER", "we \"ird\"@x")], PLAIN), "we \"ird\"@x@mx.example.org");
        assert_eq!(sender(&[("USER", "")], PLAIN), "@mx.example.org");
        assert_eq!(sender(&[("USER", "j"), ("MAILHOST", "[1.2.3.4]")], PLAIN), "j@[1.2.3.4]");
        assert_eq!(sender(&[("USER", "j"), ("MAILHOST", "h+")], PLAIN), "j@h.plus.example");
    }
}
