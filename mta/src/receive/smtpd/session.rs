//! The session as a pure state machine: a command in, a reply and what to do next out.
//!
//! ```text
//! Idle --MAIL--> Open, without recipients --RCPT--> Open, with recipients --DATA--> the envelope leaves
//! ```
//!
//! HELO, EHLO, RSET and every MAIL end the transaction that was open. DATA moves the envelope out of the
//! session, so that no outcome of it can leave a sender or a recipient behind.

use super::path::{Argument, ForwardPath, Malformed, ReversePath};
use super::policy::Policy;
use super::reply::Reply;
use super::verbs::Command;
use crate::decide::recipients::Answer;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

/// Refused recipients after which each reply is delayed: somebody is trying addresses.
const PATIENT_REFUSALS: u32 = 10;
/// Refused recipients after which the session ends with the next one.
const MOST_REFUSALS: u32 = 20;
/// How much each refusal beyond the patient ones adds to the delay.
const DELAY_STEP: Duration = Duration::from_millis(100);

/// What is to be done about a command.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Reply, and read the next command.
    Reply(Reply),
    /// Receive the message for this envelope.
    Message(Envelope),
    /// Say goodbye and end, as the client wants.
    Quit,
    /// Reply and end: we have had enough.
    HangUp(Reply),
}

/// A complete envelope: there is at least one recipient.
#[derive(Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Where failures are reported.
    pub sender: ReversePath,
    /// Who gets the message.
    pub recipients: Vec<ForwardPath>,
}

/// One client's session.
pub struct Session {
    policy: Policy,
    /// What the client called itself last.
    helo: Option<Vec<u8>>,
    transaction: Transaction,
    /// Recipients that were outside rcpthosts, or do not exist.
    refusals: u32,
}

enum Transaction {
    Idle,
    Open { sender: ReversePath, sender_is_bad: bool, recipients: Vec<ForwardPath> },
}

impl Session {
    /// A session that nothing was said in yet.
    pub fn new(policy: Policy) -> Session {
        Session { policy, helo: None, transaction: Transaction::Idle, refusals: 0 }
    }

    /// The administrator's decisions.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// From here on literals of these addresses are known as ours.
    pub fn know_own_addresses(&mut self, addresses: Vec<IpAddr>) {
        self.policy.own_literals.addresses = Some(addresses);
    }

    /// What the client called itself, if it has.
    pub fn helo(&self) -> Option<&[u8]> {
        self.helo.as_deref()
    }

    /// How long the next reply is held back.
    pub fn delay(&self) -> Duration {
        DELAY_STEP.saturating_mul(self.refusals.saturating_sub(PATIENT_REFUSALS))
    }

    /// Answers a command.
    ///
    /// # Errors
    /// Whether a recipient is allowed cannot be found out; the session cannot go on.
    pub fn answer(&mut self, command: Command) -> io::Result<Step> {
        let reply = match command {
            Command::Helo(name) => {
                self.greet(name);
                Reply::Hello
            }
            Command::Ehlo(name) => {
                self.greet(name);
                Reply::HelloExtended { databytes: self.policy.databytes }
            }
            Command::Mail(argument) => self.mail(&argument),
            Command::Rcpt(argument) => self.recipient(&argument)?,
            Command::Data => return Ok(self.data()),
            Command::Rset => {
                self.transaction = Transaction::Idle;
                Reply::Flushed
            }
            Command::Noop => Reply::Ok,
            Command::Vrfy => Reply::CannotVerify,
            Command::Help => Reply::Help,
            Command::Quit => return Ok(Step::Quit),
            Command::Unknown => Reply::Unimplemented,
            Command::ControlByte => Reply::ControlByte,
            Command::TooLong => Reply::LineTooLong,
        };
        Ok(if reply == Reply::TooManyRefused { Step::HangUp(reply) } else { Step::Reply(reply) })
    }

    fn greet(&mut self, name: Vec<u8>) {
        self.helo = Some(name);
        self.transaction = Transaction::Idle;
    }

    /// A sender on the list of bad ones is told so only when a recipient follows, as ever.
    fn mail(&mut self, argument: &[u8]) -> Reply {
        self.transaction = Transaction::Idle;
        let (sender, size) = match self.reverse_path(argument) {
            Ok(parsed) => parsed,
            Err(malformed) => return malformed.into(),
        };
        if size.is_some_and(|size| !self.policy.admits_size(size)) {
            return Reply::TooLarge;
        }
        let sender_is_bad = self.policy.bad_senders.contains(&sender);
        self.transaction = Transaction::Open { sender, sender_is_bad, recipients: Vec::new() };
        Reply::Ok
    }

    /// MAIL without any argument has always meant the empty sender.
    fn reverse_path(&self, argument: &[u8]) -> Result<(ReversePath, Option<u64>), Malformed> {
        if argument.is_empty() {
            return Ok((ReversePath::default(), None));
        }
        let argument = Argument::parse(argument)?;
        let size = argument.size();
        Ok((ReversePath::new(self.policy.own_literals.replace(argument.address))?, size))
    }

    fn recipient(&mut self, argument: &[u8]) -> io::Result<Reply> {
        let Transaction::Open { sender_is_bad, recipients, .. } = &mut self.transaction else {
            return Ok(Reply::MailFirst);
        };
        let parsed = Argument::parse(argument)
            .and_then(|argument| ForwardPath::new(self.policy.own_literals.replace(argument.address)));
        let recipient = match parsed {
            Ok(recipient) => recipient,
            Err(malformed) => return Ok(malformed.into()),
        };
        if *sender_is_bad {
            return Ok(Reply::BadSender);
        }
        let Some(recipient) = self.policy.admit(recipient)? else {
            return Ok(self.refuse(Reply::HostNotAllowed));
        };
        let limit = self.policy.max_recipients;
        if limit != 0 && recipients.len() as u64 >= limit {
            return Ok(Reply::TooManyRecipients);
        }
        Ok(match self.policy.check(&recipient) {
            Answer::NoSuchAddress => self.refuse(Reply::NoSuchAddress),
            Answer::NotNow => Reply::CheckNotNow,
            Answer::Accepted => {
                recipients.push(recipient);
                Reply::Ok
            }
        })
    }

    /// Counts a refusal, and ends the session if there were enough of them.
    fn refuse(&mut self, reply: Reply) -> Reply {
        self.refusals = self.refusals.saturating_add(1);
        if self.refusals > MOST_REFUSALS { Reply::TooManyRefused } else { reply }
    }

    fn data(&mut self) -> Step {
        match std::mem::replace(&mut self.transaction, Transaction::Idle) {
            Transaction::Open { sender, recipients, .. } if !recipients.is_empty() => {
                Step::Message(Envelope { sender, recipients })
            }
            open @ Transaction::Open { .. } => {
                // Nothing was begun; a recipient may still come.
                self.transaction = open;
                Step::Reply(Reply::RcptFirst)
            }
            Transaction::Idle => Step::Reply(Reply::MailFirst),
        }
    }
}

impl From<Malformed> for Reply {
    fn from(malformed: Malformed) -> Reply {
        match malformed {
            Malformed::NoAddress | Malformed::TooLong => Reply::MalformedAddress,
            Malformed::ControlByte => Reply::ControlByte,
        }
    }
}

#[cfg(test)]
mod tests;
