//! The dialogue with an SMTP server as a table: a reply goes in, what to do next comes out. No I/O.
//!
//! | awaited reply | accepted | what follows |
//! |---|---|---|
//! | greeting | 220 | EHLO if the greeting says ESMTP, otherwise HELO |
//! | EHLO | 250; HELO follows a refusal for good | MAIL |
//! | HELO | 250 | MAIL |
//! | MAIL | 2xx, 3xx | RCPT |
//! | RCPT | 2xx, 3xx | the next RCPT; after the last DATA, if any was accepted |
//! | DATA | 2xx, 3xx | the message |
//! | message | 2xx, 3xx | the report |
//!
//! A server that announces PIPELINING (RFC 2920) gets MAIL, RCPT and DATA at once and answers them one by one;
//! so the awaited replies are a queue. A refusal then decides the report, and the answers to what was already
//! sent are still read, because one of them may be the server waiting for a message.

use super::super::body::Measure;
use super::super::envelope::Envelope;
use super::super::report::{MessageReport, RecipientReport, Refusal, Stage};
use super::reply::{Meaning, Reply};
use std::collections::VecDeque;
use std::net::IpAddr;

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Send these bytes, then read a reply.
    Send(Vec<u8>),
    /// Read a reply.
    Read,
    /// Send the message, then read a reply.
    SendMessage,
    /// Say QUIT and report.
    Finish(MessageReport),
    /// Close the connection and report: the server waits for a message that it must not get. (RFC 2920 §3.1
    /// would send an empty one; a server that took a recipient in spite of all would deliver that.)
    BreakOff(MessageReport),
}

/// Which greeting to begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hello {
    /// EHLO if the server says that it knows it.
    AsAnnounced,
    /// HELO.
    Plain,
}

/// A reply that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Greeting,
    Ehlo,
    Helo,
    Sender,
    Recipient,
    Data,
    Message,
}

/// One dialogue.
#[derive(Debug)]
pub struct Dialogue<'a> {
    peer: IpAddr,
    own_name: &'a [u8],
    envelope: &'a Envelope,
    measure: Option<Measure>,
    hello: Hello,
    awaited: VecDeque<Awaited>,
    /// Recipients that the server has not been told of.
    unsent: VecDeque<&'a [u8]>,
    recipients: Vec<RecipientReport>,
    accepted: usize,
    /// What a line without a code means in place of a recipient's reply.
    nonsense: Refusal,
    is_out_of_step: bool,
    is_end_sent: bool,
    decided: Option<MessageReport>,
}

impl<'a> Dialogue<'a> {
    /// A dialogue with `peer`, which has just been connected to. The measure of the message is for servers that
    /// want to know; without it they are not told.
    pub fn new(
        peer: IpAddr,
        own_name: &'a [u8],
        envelope: &'a Envelope,
        measure: Option<Measure>,
        hello: Hello,
    ) -> Dialogue<'a> {
        Dialogue {
            peer,
            own_name,
            envelope,
            measure,
            hello,
            awaited: VecDeque::from([Awaited::Greeting]),
            unsent: envelope.recipients.iter().map(Vec::as_slice).collect(),
            recipients: Vec::new(),
            accepted: 0,
            nonsense: Refusal::Temporary,
            is_out_of_step: false,
            is_end_sent: false,
            decided: None,
        }
    }

    /// What became of the recipients so far, in their order.
    pub fn recipients(&self) -> &[RecipientReport] {
        &self.recipients
    }

    /// Whether the reply to EHLO is awaited: a server that breaks off now may know only HELO.
    pub fn awaits_ehlo(&self) -> bool {
        self.awaited.front() == Some(&Awaited::Ehlo)
    }

    /// Notes that the end of the message is about to be sent: from now on the server may have it.
    pub fn end_goes_out(&mut self) {
        self.is_end_sent = true;
    }

    /// The report if the connection breaks now.
    pub fn broken(&self) -> MessageReport {
        let died = MessageReport::Died { peer: self.peer, possible_duplicate: self.is_end_sent };
        self.decided.clone().unwrap_or(died)
    }

    /// Takes the next reply.
    pub fn take(&mut self, reply: &Reply) -> Next {
        match self.awaited.pop_front() {
            None => Next::Finish(MessageReport::OutOfStep(self.peer)),
            Some(Awaited::Greeting) => self.take_greeting(reply),
            Some(Awaited::Ehlo) => self.take_ehlo(reply),
            Some(Awaited::Helo) => self.take_helo(reply),
            Some(Awaited::Sender) => self.take_sender(reply),
            Some(Awaited::Recipient) => self.take_recipient(reply),
            Some(Awaited::Data) => self.take_data(reply),
            Some(Awaited::Message) => self.take_end_of_message(reply),
        }
    }

    fn take_greeting(&mut self, reply: &Reply) -> Next {
        if reply.code() != Some(220) {
            return self.refuse(Stage::Greeting, Refusal::Temporary, reply);
        }
        match self.hello {
            Hello::AsAnnounced if reply.has_word(b"ESMTP") => {
                self.send(&[b"EHLO ", self.own_name], Awaited::Ehlo)
            }
            _ => self.send(&[b"HELO ", self.own_name], Awaited::Helo),
        }
    }

    fn take_ehlo(&mut self, reply: &Reply) -> Next {
        if reply.meaning() == Meaning::RefusedForGood {
            return self.send(&[b"HELO ", self.own_name], Awaited::Helo);
        }
        if reply.code() != Some(250) {
            return self.refuse(Stage::Hello, Refusal::Temporary, reply);
        }
        let parameters = self.mail_parameters(reply);
        let commands = self.transaction(&parameters);
        if reply.announces(b"PIPELINING") && commands.len() <= PIPELINE_LIMIT {
            self.awaited.push_back(Awaited::Sender);
            self.awaited.extend(self.unsent.drain(..).map(|_| Awaited::Recipient));
            self.awaited.push_back(Awaited::Data);
            return Next::Send(commands);
        }
        self.send_mail(&parameters)
    }

    fn take_helo(&mut self, reply: &Reply) -> Next {
        if reply.code() != Some(250) {
            return self.refuse(Stage::Hello, Refusal::Temporary, reply);
        }
        self.send_mail(b"")
    }

    fn take_sender(&mut self, reply: &Reply) -> Next {
        match refusal(reply) {
            None => self.proceed(),
            Some(refusal) => self.refuse(Stage::Sender, refusal, reply),
        }
    }

    fn take_recipient(&mut self, reply: &Reply) -> Next {
        if self.decided.is_some() {
            return self.proceed();
        }
        let report = match reply.meaning() {
            Meaning::Accepted => {
                self.accepted = self.accepted.saturating_add(1);
                RecipientReport::Accepted
            }
            Meaning::RefusedForNow => self.refused_recipient(Refusal::Temporary, reply),
            Meaning::RefusedForGood => {
                self.nonsense = Refusal::Permanent;
                self.refused_recipient(Refusal::Permanent, reply)
            }
            Meaning::Nonsense => {
                self.is_out_of_step = true;
                self.refused_recipient(self.nonsense, reply)
            }
        };
        self.recipients.push(report);
        self.proceed()
    }

    fn take_data(&mut self, reply: &Reply) -> Next {
        match (refusal(reply), &self.decided) {
            (None, None) => {
                self.awaited.push_back(Awaited::Message);
                Next::SendMessage
            }
            (None, Some(report)) => Next::BreakOff(report.clone()),
            (Some(_), Some(_)) => self.proceed(),
            (Some(refusal), None) => self.refuse(Stage::Data, refusal, reply),
        }
    }

    fn take_end_of_message(&mut self, reply: &Reply) -> Next {
        match refusal(reply) {
            None => self.decide(MessageReport::Accepted { peer: self.peer, reply: reply.text().to_vec() }),
            Some(refusal) => self.refuse(Stage::Message, refusal, reply),
        }
    }

    /// What follows a reply that ended nothing, or a decision.
    fn proceed(&mut self) -> Next {
        if self.decided.is_none() {
            if let Some(recipient) = self.unsent.pop_front() {
                return self.send(&[b"RCPT TO:<", recipient, b">"], Awaited::Recipient);
            }
            if self.awaited.front() != Some(&Awaited::Recipient) {
                return self.after_recipients();
            }
        }
        match &self.decided {
            Some(report) if self.awaited.is_empty() => Next::Finish(report.clone()),
            _ => Next::Read,
        }
    }

    fn after_recipients(&mut self) -> Next {
        if self.accepted == 0 {
            return self.decide(MessageReport::NoRecipient(self.peer));
        }
        if self.is_out_of_step {
            // A reply is missing or one too many; the one to the message could be taken from another command.
            return self.decide(MessageReport::OutOfStep(self.peer));
        }
        if self.awaited.is_empty() { self.send(&[b"DATA"], Awaited::Data) } else { Next::Read }
    }

    fn refuse(&mut self, stage: Stage, refusal: Refusal, reply: &Reply) -> Next {
        let (peer, reply) = (self.peer, reply.text().to_vec());
        self.decide(MessageReport::Refused { stage, refusal, peer, reply })
    }

    fn decide(&mut self, report: MessageReport) -> Next {
        self.decided = Some(report);
        self.proceed()
    }

    fn refused_recipient(&self, refusal: Refusal, reply: &Reply) -> RecipientReport {
        RecipientReport::Refused { refusal, peer: self.peer, reply: reply.text().to_vec() }
    }

    fn send(&mut self, command: &[&[u8]], awaited: Awaited) -> Next {
        self.awaited.push_back(awaited);
        Next::Send([&command.concat(), CRLF].concat())
    }

    fn send_mail(&mut self, parameters: &[u8]) -> Next {
        self.send(&[b"MAIL FROM:<", &self.envelope.sender, b">", parameters], Awaited::Sender)
    }

    /// MAIL, all RCPT and DATA.
    fn transaction(&self, parameters: &[u8]) -> Vec<u8> {
        let mut commands = [b"MAIL FROM:<", &self.envelope.sender[..], b">", parameters, CRLF].concat();
        for recipient in &self.envelope.recipients {
            commands.extend_from_slice(&[b"RCPT TO:<", &recipient[..], b">", CRLF].concat());
        }
        commands.extend_from_slice(b"DATA\r\n");
        commands
    }

    /// What the server wants to know about the message (RFC 1870, RFC 6152).
    fn mail_parameters(&self, ehlo: &Reply) -> Vec<u8> {
        let mut parameters = Vec::new();
        let Some(measure) = self.measure else { return parameters };
        if ehlo.announces(b"SIZE") {
            parameters.extend_from_slice(format!(" SIZE={}", measure.size).as_bytes());
        }
        if ehlo.announces(b"8BITMIME") && measure.has_8bit {
            parameters.extend_from_slice(b" BODY=8BITMIME");
        }
        parameters
    }
}

/// How a reply refuses, if it does. Where there is no code, trying again is the safer guess.
fn refusal(reply: &Reply) -> Option<Refusal> {
    match reply.meaning() {
        Meaning::Accepted => None,
        Meaning::RefusedForNow | Meaning::Nonsense => Some(Refusal::Temporary),
        Meaning::RefusedForGood => Some(Refusal::Permanent),
    }
}

const CRLF: &[u8] = b"\r\n";
/// More than this is not sent without waiting: a server that stops reading while it writes its replies could
/// otherwise wait for us while we wait for it.
const PIPELINE_LIMIT: usize = 4096;

#[cfg(test)]
mod tests;
