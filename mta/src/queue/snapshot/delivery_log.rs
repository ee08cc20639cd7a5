//! What qmail-send's log says was delivered, so that it is not delivered again.
//!
//! A number is used again once its message has ended, so a delivery counts only for a message that the log has seen come
//! in: `info msg` gives its size, sender and qmail-queue's process number, and the text's first line has the last. What
//! the log cannot tell apart is no evidence; then a second copy is better than none.

use super::message::{Message, State};
use crate::queue::envelope::{Record, records};
use crate::queue::layout::MessageNumber;
use crate::send::channel::Channel;
use crate::send::log::clean;
use crate::send::route::Routing;
use std::collections::HashMap;
use std::io::{self, BufRead};
use unix::number;

/// What makes a message known again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Identity {
    message: MessageNumber,
    bytes: u64,
    /// As logged.
    sender: Vec<u8>,
    /// The process number of qmail-queue.
    qp: u64,
}

/// What became of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Life {
    /// How often each recipient, as logged, was delivered to.
    delivered: HashMap<(Channel, Vec<u8>), usize>,
    /// Whether a bounce of it was queued.
    bounced: bool,
    ended: bool,
    /// Whether there were two messages that cannot be told apart.
    is_ambiguous: bool,
}

/// Logs, read in the order in which they were written.
#[derive(Debug, Default)]
pub struct DeliveryLog {
    lives: HashMap<Identity, Life>,
    /// The message that has a number at this place of the log.
    present: HashMap<MessageNumber, Identity>,
    /// Attempts by their numbers, which begin again with each qmail-send.
    attempts: HashMap<u64, (Identity, Channel, Vec<u8>)>,
    is_complete: bool,
}

/// What the log knows of one message.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    life: Option<Life>,
    /// Whether the log goes on to the end of qmail-send: what it does not have was not delivered.
    is_complete: bool,
}

impl DeliveryLog {
    /// Reads on.
    pub fn read(&mut self, mut input: impl BufRead) -> io::Result<()> {
        let mut line = Vec::new();
        while input.read_until(b'\n', &mut line)? > 0 {
            // A line that a crash has cut says nothing.
            if let Some(line) = line.strip_suffix(b"\n") {
                self.take(line);
            }
            line.clear();
        }
        Ok(())
    }

    fn take(&mut self, line: &[u8]) {
        let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        // Stamps stand before what qmail-send said. What comes from outside has no blanks here, and cannot look like it.
        let Some(event) = (0..words.len()).find_map(|at| Event::decode(words.get(at..)?)) else { return };
        self.is_complete = matches!(event, Event::Exiting);
        match event {
            Event::New(message) => drop(self.present.remove(&message)),
            Event::Info(identity) => {
                let life = self.lives.entry(identity.clone()).or_default();
                life.is_ambiguous |= life.ended;
                self.present.insert(identity.message, identity);
            }
            Event::Starting { attempt, message, channel, recipient } => {
                self.attempts.remove(&attempt);
                if let Some(identity) = self.present.get(&message) {
                    self.attempts.insert(attempt, (identity.clone(), channel, recipient));
                }
            }
            Event::Success(attempt) => {
                if let Some((identity, channel, recipient)) = self.attempts.remove(&attempt) {
                    let life = self.lives.entry(identity).or_default();
                    let count = life.delivered.entry((channel, recipient)).or_default();
                    *count = count.saturating_add(1);
                }
            }
            Event::Bounce(message) => drop(self.life(message).map(|life| life.bounced = true)),
            Event::End(message) => drop(self.life(message).map(|life| life.ended = true)),
            Event::Exiting | Event::Other => {}
        }
    }

    fn life(&mut self, message: MessageNumber) -> Option<&mut Life> {
        self.lives.get_mut(self.present.get(&message)?)
    }

    /// What is known of a message whose text begins like this.
    pub fn evidence(&self, message: &Message, text: &[u8]) -> Evidence {
        let life = queued_by(text).and_then(|qp| {
            let sender = clean(message.sender());
            self.lives.get(&Identity { message: message.number, bytes: message.size, sender, qp })
        });
        let life = life.filter(|life| !life.is_ambiguous).cloned();
        Evidence { life, is_complete: self.is_complete }
    }
}

/// The process number in the line that qmail-queue puts before each message.
fn queued_by(text: &[u8]) -> Option<u64> {
    let (pid, length) = number::scan(text.strip_prefix(b"Received: (qmail ")?);
    (length > 0).then_some(pid)
}

impl Evidence {
    /// Whether a recipient who is not done by this evidence may have been delivered to all the same.
    pub fn leaves_doubt(&self) -> bool {
        self.life.is_none() || !self.is_complete
    }

    /// Whether a bounce of the message was queued.
    pub fn has_bounced(&self) -> bool {
        self.life.as_ref().is_some_and(|life| life.bounced)
    }

    /// Takes out of a message whatever was delivered; whether anything is left to do.
    pub fn apply(&self, message: &mut Message, routing: &Routing) -> bool {
        let Some(life) = &self.life else { return !message.is_finished() };
        let mut left = life.delivered.clone();
        let mut was_delivered = |channel: Channel, address: &[u8]| {
            let count = left.get_mut(&(channel, clean(address))).filter(|count| **count > 0);
            count.map(|count| *count = count.saturating_sub(1)).is_some()
        };
        match &mut message.state {
            State::Queued(todo) => {
                *todo = without(todo, |address| {
                    let (channel, address) = routing.route(address);
                    was_delivered(channel, &address)
                });
            }
            State::Preprocessed(found) => {
                for channel in Channel::ALL {
                    if let Some(recipients) = found.channels.get_mut(channel) {
                        mark(recipients, |address| was_delivered(channel, address));
                    }
                }
            }
        }
        // It ended, and nobody was to be told: what was not delivered was removed by an administrator.
        let is_over = life.ended && !life.bounced;
        !is_over && !message.is_finished()
    }
}

/// The records of todo without the recipients who were delivered to.
fn without(todo: &[u8], mut was_delivered: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let mut kept = Vec::new();
    for record in todo.split_inclusive(|byte| *byte == 0) {
        let is_done = match record.strip_suffix(b"\0").map(Record::decode) {
            Some(Record::Recipient(address)) => was_delivered(address),
            _ => false,
        };
        if !is_done {
            kept.extend_from_slice(record);
        }
    }
    kept
}

/// Marks the recipients of a channel who were delivered to. Those who are done already account for as many deliveries.
fn mark(recipients: &mut [u8], mut was_delivered: impl FnMut(&[u8]) -> bool) {
    for record in records(recipients) {
        if let Record::Done(address) = record {
            was_delivered(address);
        }
    }
    for record in recipients.split_inclusive_mut(|byte| *byte == 0) {
        let is_done = match record.strip_suffix(b"\0").map(Record::decode) {
            Some(Record::Recipient(address)) => was_delivered(address),
            _ => false,
        };
        if let Some(letter) = record.first_mut().filter(|_| is_done) {
            *letter = b'D';
        }
    }
}

/// A line of qmail-log(5).
#[derive(Debug, PartialEq, Eq)]
enum Event {
    New(MessageNumber),
    Info(Identity),
    Starting {
        attempt: u64,
        message: MessageNumber,
        channel: Channel,
        recipient: Vec<u8>,
    },
    Success(u64),
    Bounce(MessageNumber),
    End(MessageNumber),
    Exiting,
    /// Something else that qmail-send says.
    Other,
}

impl Event {
    fn decode(words: &[&[u8]]) -> Option<Event> {
        // As qmail-send writes it, and in no other way.
        let message =
            |word: &[u8]| MessageNumber::parse(word).filter(|number| number.to_string().as_bytes() == word);
        let numbered = |word: &[u8]| word.strip_suffix(b":").and_then(number::whole);
        match words {
            [b"new", b"msg", number] => Some(Event::New(message(number)?)),
            [b"info", b"msg", number, b"bytes", bytes, b"from", sender, b"qp", qp, b"uid", _] => {
                let sender = sender.strip_prefix(b"<")?.strip_suffix(b">")?.to_vec();
                let message = message(number.strip_suffix(b":")?)?;
                let (bytes, qp) = (number::whole(bytes)?, number::whole(qp)?);
                Some(Event::Info(Identity { message, bytes, sender, qp }))
            }
            [b"starting", b"delivery", attempt, b"msg", number, b"to", channel, recipient] => {
                let channel = Channel::ALL.into_iter().find(|one| one.name().as_bytes() == *channel)?;
                let (attempt, message) = (numbered(attempt)?, message(number)?);
                Some(Event::Starting { attempt, message, channel, recipient: recipient.to_vec() })
            }
            [b"delivery", attempt, b"success:", ..] => Some(Event::Success(numbered(attempt)?)),
            [b"delivery", _, b"failure:" | b"deferral:", ..] => Some(Event::Other),
            [b"bounce", b"msg", number, b"qp", _] => Some(Event::Bounce(message(number)?)),
            [b"end", b"msg", number] => Some(Event::End(message(number)?)),
            [b"status:", b"exiting"] => Some(Event::Exiting),
            [b"status:", ..] => Some(Event::Other),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::Preprocessed;
    use super::*;
    use crate::control::NameSet;
    use crate::send::channel::ByChannel;

    const TEXT: &[u8] = b"Received: (qmail 55 invoked by uid 1); 1 Jan 2026 00:00:00 -0000\nx\n";
    const CAME_IN: &str = "new msg 7\ninfo msg 7: bytes 70 from <s@x> qp 55 uid 1\n";

    fn log(text: &str) -> DeliveryLog {
        let mut log = DeliveryLog::default();
        log.read(text.as_bytes()).unwrap();
        log
    }

    fn routing() -> Routing {
        Routing { locals: NameSet::new(vec![b"here".to_vec()]), ..Routing::default() }
    }

    fn preprocessed(local: &str) -> Message {
        let channels = ByChannel { local: Some(local.as_bytes().to_vec()), remote: None };
        let found = Preprocessed { info: b"Fs@x\0".to_vec(), channels, ..Preprocessed::default() };
        Message { number: MessageNumber(7), state: State::Preprocessed(found), size: 70 }
    }

    /// The recipients on the local channel after the log was applied; nothing if the message is over.
    fn left(local: &str, text: &str) -> Option<String> {
        let mut message = preprocessed(local);
        let goes_on = log(text).evidence(&message, TEXT).apply(&mut message, &routing());
        let State::Preprocessed(found) = message.state else { return None };
        goes_on.then(|| String::from_utf8(found.channels.local.unwrap()).unwrap())
    }

    #[test]
    fn who_was_delivered_to_is_done() {
        let text = format!(
            "{CAME_IN}starting delivery 1: msg 7 to local a@here\nstarting delivery 2: msg 7 to local b@here\n\
             starting delivery 3: msg 7 to local c@here\n\
             delivery 3: failure: no\ndelivery 2: deferral: later\ndelivery 1: success: did_1+0+0/\n"
        );
        assert_eq!(left("Ta@here\0Tb@here\0Tc@here\0", &text).unwrap(), "Da@here\0Tb@here\0Tc@here\0");
        assert_eq!(left("Ta@here\0", &text), None);
    }

    #[test]
    fn stamps_before_a_line_are_passed_over_and_half_a_line_says_nothing() {
        for stamp in ["1234.567 ", "@4000000068a1b2c3deadbeef ", "Nov 28 01:02:03 host qmail: 1234.567 "] {
            let lines =
                format!("{CAME_IN}starting delivery 1: msg 7 to local a@here\ndelivery 1: success: ok/\n");
            let text: String = lines.lines().map(|line| format!("{stamp}{line}\n")).collect();
            assert_eq!(left("Ta@here\0", &text), None, "{stamp}");
            assert!(left("Ta@here\0", text.trim_end()).is_some(), "{stamp}");
        }
    }

    #[test]
    fn a_delivery_of_another_message_with_the_same_number_does_not_count() {
        let deliver = "starting delivery 1: msg 7 to local a@here\ndelivery 1: success: ok/\nend msg 7\n";
        for other in ["bytes 71 from <s@x> qp 55", "bytes 70 from <t@x> qp 55", "bytes 70 from <s@x> qp 56"] {
            let text = format!("new msg 7\ninfo msg 7: {other} uid 1\n{deliver}");
            assert!(left("Ta@here\0", &text).is_some(), "{other}");
        }
        // Nobody saw it come in; or two that look the same.
        assert!(left("Ta@here\0", deliver).is_some());
        assert!(left("Ta@here\0", &format!("{CAME_IN}{deliver}{CAME_IN}{deliver}")).is_some());
        // The same one, preprocessed twice.
        assert!(left("Ta@here\0", &format!("{CAME_IN}{CAME_IN}{deliver}")).is_none());
    }

    #[test]
    fn a_delivery_before_the_snapshot_is_not_counted_for_another_recipient_of_that_name() {
        let text = format!("{CAME_IN}starting delivery 1: msg 7 to local a@here\ndelivery 1: success: ok/\n");
        assert_eq!(left("Da@here\0Ta@here\0", &text).unwrap(), "Da@here\0Ta@here\0");
    }

    #[test]
    fn a_number_that_qmail_send_would_not_write_so_is_no_evidence() {
        assert_eq!(left("Ta@b\0", &format!("{CAME_IN}end msg 7\n")), None);
        assert_eq!(left("Ta@b\0", &format!("{CAME_IN}end msg 07\n")), Some("Ta@b\0".to_owned()));
    }

    #[test]
    fn a_message_that_was_removed_is_over_and_one_that_bounced_is_not() {
        assert_eq!(left("Ta@here\0", &format!("{CAME_IN}end msg 7\n")), None);
        let bounced = format!("{CAME_IN}bounce msg 7 qp 99\nend msg 7\n");
        assert_eq!(left("Ta@here\0", &bounced).unwrap(), "Ta@here\0");
    }

    #[test]
    fn recipients_of_todo_are_found_by_their_way() {
        let text = format!("{CAME_IN}starting delivery 1: msg 7 to local a@here\ndelivery 1: success: ok/\n");
        let state = State::Queued(b"u1\0p55\0Fs@x\0Ta@here\0Ta@there\0".to_vec());
        let mut message = Message { number: MessageNumber(7), state, size: 70 };
        assert!(log(&text).evidence(&message, TEXT).apply(&mut message, &routing()));
        assert_eq!(message.state, State::Queued(b"u1\0p55\0Fs@x\0Ta@there\0".to_vec()));
    }

    #[test]
    fn only_a_log_to_the_end_of_qmail_send_leaves_no_doubt() {
        let doubt = |text: &str| log(text).evidence(&preprocessed("Ta@here\0"), TEXT).leaves_doubt();
        assert!(doubt(CAME_IN));
        assert!(!doubt(&format!("{CAME_IN}status: exiting\n")));
        assert!(doubt(&format!("{CAME_IN}status: exiting\nstatus: local 0/10 remote 0/20\n")));
        assert!(doubt("status: exiting\n"));
    }
}
