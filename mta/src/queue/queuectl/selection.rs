//! Which messages an administrator means.

use crate::queue::layout::MessageNumber;
use crate::queue::listing::{Entry, Recipient};
use std::collections::BTreeSet;
use unix::number;

/// Conditions that a message has to meet, all of them. None at all means nothing: "everything" has to be said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// `-a`: every message.
    pub all: bool,
    /// Operands: these messages.
    pub numbers: BTreeSet<MessageNumber>,
    /// `-s`: the envelope sender.
    pub sender: Option<Pattern>,
    /// `-r`: a recipient who waits.
    pub recipient: Option<Pattern>,
    /// `-h`: the host of a recipient who waits.
    pub host: Option<Vec<u8>>,
    /// `-o`: at least so many seconds old.
    pub older: Option<u64>,
    /// `-y`: less than so many seconds old.
    pub younger: Option<u64>,
    /// `-H`: held.
    pub held: bool,
}

/// An address, or `@host` for every address there. Upper and lower case are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(pub Vec<u8>);

impl Pattern {
    fn matches(&self, address: &[u8]) -> bool {
        match self.0.strip_prefix(b"@") {
            Some(host) => host_of(address).eq_ignore_ascii_case(host),
            None => address.eq_ignore_ascii_case(&self.0),
        }
    }
}

impl Selection {
    /// Whether anything was said.
    pub fn is_empty(&self) -> bool {
        *self == Selection::default()
    }

    /// The messages, if they can be told without looking at any.
    pub fn only_numbers(&self) -> Option<&BTreeSet<MessageNumber>> {
        let without = Selection { numbers: BTreeSet::new(), ..self.clone() };
        without.is_empty().then_some(&self.numbers)
    }

    /// Whether a message is meant. `now` is in seconds since 1970.
    pub fn matches(&self, entry: &Entry, now: u64) -> bool {
        let age = now.saturating_sub(entry.birth);
        let waits = |matches: &dyn Fn(&Recipient) -> bool| {
            entry.recipients.iter().any(|recipient| !recipient.done && matches(recipient))
        };
        (self.numbers.is_empty() || self.numbers.contains(&entry.message))
            && self.sender.as_ref().is_none_or(|sender| sender.matches(&entry.sender))
            && self
                .recipient
                .as_ref()
                .is_none_or(|wanted| waits(&|recipient| wanted.matches(&recipient.address)))
            && self
                .host
                .as_ref()
                .is_none_or(|host| waits(&|recipient| host_of(&recipient.address).eq_ignore_ascii_case(host)))
            && self.older.is_none_or(|seconds| age >= seconds)
            && self.younger.is_none_or(|seconds| age < seconds)
            && (!self.held || entry.held)
    }
}

/// What follows the last `@`; without one there is no host.
fn host_of(address: &[u8]) -> &[u8] {
    let at = address.iter().rposition(|byte| *byte == b'@');
    at.and_then(|at| address.get(at.saturating_add(1)..)).unwrap_or_default()
}

/// An age: a number of seconds, or with `m`, `h`, `d` of minutes, hours, days.
pub fn parse_age(text: &[u8]) -> Option<u64> {
    let (number, length) = number::scan(text);
    let unit = match text.get(length..)? {
        b"" | b"s" => 1,
        b"m" => 60,
        b"h" => 3600,
        b"d" => 86_400,
        _ => return None,
    };
    if length == 0 { None } else { number.checked_mul(unit) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::layout::Kind;

    fn entry() -> Entry {
        let recipient =
            |address: &[u8], done| Recipient { channel: Kind::Remote, address: address.to_vec(), done };
        Entry {
            message: MessageNumber(7),
            birth: 1000,
            size: 1,
            sender: b"joe@Src.example".to_vec(),
            bouncing: false,
            held: false,
            recipients: vec![recipient(b"a@far.example", false), recipient(b"b@done.example", true)],
        }
    }

    fn is_selected(change: impl Fn(&mut Selection)) -> bool {
        let mut selection = Selection::default();
        change(&mut selection);
        selection.matches(&entry(), 1600)
    }

    #[test]
    fn all_conditions_have_to_be_met() {
        let pattern = |text: &str| Some(Pattern(text.as_bytes().to_vec()));
        assert!(is_selected(|all| all.sender = pattern("JOE@src.example")));
        assert!(is_selected(|all| all.sender = pattern("@src.example")));
        assert!(!is_selected(|all| all.sender = pattern("")));
        assert!(is_selected(|all| all.recipient = pattern("a@far.example")));
        assert!(is_selected(|all| all.host = Some(b"FAR.example".to_vec())));
        assert!(is_selected(|all| (all.older, all.younger) = (Some(600), Some(601))));
        assert!(!is_selected(|all| all.older = Some(601)));
        assert!(!is_selected(|all| all.younger = Some(600)));
        assert!(!is_selected(|all| all.held = true));
        assert!(!is_selected(|all| {
            all.numbers.insert(MessageNumber(8));
        }));
        assert!(!is_selected(|all| {
            all.numbers.insert(MessageNumber(7));
            all.sender = pattern("x@y");
        }));
    }

    #[test]
    fn a_recipient_who_is_done_waits_no_more() {
        assert!(!is_selected(|all| all.recipient = Some(Pattern(b"b@done.example".to_vec()))));
        assert!(!is_selected(|all| all.host = Some(b"done.example".to_vec())));
    }

    #[test]
    fn an_age_has_a_unit() {
        for (text, seconds) in
            [("90", Some(90)), ("2m", Some(120)), ("3h", Some(10_800)), ("1d", Some(86_400))]
        {
            assert_eq!(parse_age(text.as_bytes()), seconds);
        }
        for text in ["", "m", "1w", "1 d", "-1", "9999999999999999999d"] {
            assert_eq!(parse_age(text.as_bytes()), None, "{text}");
        }
    }
}
