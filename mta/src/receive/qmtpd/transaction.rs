//! One message on its way to qmail-queue, and the replies to its recipients.

use super::Server;
use super::policy::{Decision, Policy};
use super::request::Address;
use crate::message::received::Protocol;
use crate::queue::client::{Envelope, Submission};
use crate::receive::hops::HopCounter;
use crate::receive::quick_reply::QuickReply;
use crate::receive::smtpd::reply::Reply;
use unix::failure::Failure;
use unix::stamp::Stamp;

/// Recipients of one message of which we keep what to reply, whatever `maxrecipients` says.
const MOST_RECIPIENTS: usize = 1_000_000;

/// How far the message is.
#[derive(Default)]
pub enum Transaction {
    /// There is none.
    #[default]
    Idle,
    /// Its text is coming.
    Message {
        /// qmail-queue.
        submission: Submission,
        /// Lines of passing through a mail server.
        hops: HopCounter,
        /// Bytes so far, or all of them where that is known.
        size: u64,
        /// Whether it has more bytes than the limit.
        is_too_large: bool,
    },
    /// Its envelope is coming.
    Envelope {
        /// qmail-queue.
        envelope: Envelope,
        /// The process number of qmail-queue.
        qp: i32,
        /// Why the message as a whole is not accepted.
        fault: Option<QuickReply>,
        /// One for each recipient so far.
        verdicts: Vec<Verdict>,
        /// Recipients that are in the envelope.
        accepted: u64,
    },
}

/// What a recipient is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// What became of the message.
    AsTheMessage,
    /// The address cannot be one.
    Unusable,
    /// The client may not send there.
    NotAllowed,
    /// There are enough already.
    TooMany,
}

impl Transaction {
    /// Starts qmail-queue for a message, whose size may be known.
    ///
    /// # Errors
    /// Temporary: there is no process for it.
    pub fn begin(server: &Server, size: Option<u64>) -> Result<Transaction, Failure> {
        let mut submission = Submission::start(&server.home)
            .map_err(|error| Failure::temporary("unable to start qmail-queue").because(&error))?;
        submission.put(&server.ends.received(Protocol::Qmtp, None, Stamp::now().seconds));
        let is_too_large = size.is_some_and(|size| !server.policy.admits_size(size));
        Ok(Transaction::Message { submission, hops: HopCounter::default(), size: 0, is_too_large })
    }

    /// Adds to the message. What is beyond the limit is counted and forgotten.
    pub fn put(&mut self, text: &[u8], policy: &Policy) {
        let Transaction::Message { submission, hops, size, is_too_large } = self else { return };
        *size = size.saturating_add(text.len() as u64);
        *is_too_large |= !policy.admits_size(*size);
        if !*is_too_large {
            hops.feed(text);
            submission.put(text);
        }
    }

    /// The message is over, and its sender is known.
    #[must_use]
    pub fn sender(self, address: Address) -> Transaction {
        let Transaction::Message { submission, hops, is_too_large, .. } = self else { return self };
        let fault = if hops.is_looping() {
            Some(QuickReply::Like(Reply::TooManyHops))
        } else if is_too_large {
            Some(QuickReply::Like(Reply::TooLarge))
        } else if address.is_err() {
            Some(QuickReply::UnacceptableSender)
        } else {
            None
        };
        let qp = submission.pid().as_raw();
        let mut envelope = submission.envelope(&address.unwrap_or_default());
        if fault.is_some() {
            envelope.abandon();
        }
        Transaction::Envelope { envelope, qp, fault, verdicts: Vec::new(), accepted: 0 }
    }

    /// A recipient.
    ///
    /// # Errors
    /// Temporary: nobody can say whether the client may send there; or there are so many that we lose count.
    pub fn recipient(&mut self, address: Address, policy: &Policy) -> Result<(), Failure> {
        let Transaction::Envelope { envelope, verdicts, accepted, .. } = self else { return Ok(()) };
        if verdicts.len() >= MOST_RECIPIENTS {
            return Err(Failure::temporary("too many recipients"));
        }
        let decision = policy.decide(address).map_err(|error| {
            Failure::temporary("unable to read control/morercpthosts.cdb").because(&error)
        })?;
        let verdict = match decision {
            Decision::Accept(_) if policy.max_recipients != 0 && *accepted >= policy.max_recipients => {
                Verdict::TooMany
            }
            Decision::Accept(address) => {
                *accepted = accepted.saturating_add(1);
                envelope.recipient(&address);
                Verdict::AsTheMessage
            }
            Decision::Unusable => Verdict::Unusable,
            Decision::NotAllowed => Verdict::NotAllowed,
        };
        verdicts.push(verdict);
        Ok(())
    }

    /// The end of the request: queues the message, and gives a reply for each recipient.
    pub fn complete(self) -> impl Iterator<Item = QuickReply> {
        let (outcome, verdicts) = match self {
            Transaction::Envelope { mut envelope, qp, fault, verdicts, accepted } => {
                if accepted == 0 {
                    envelope.abandon();
                }
                let result = envelope.close();
                (fault.unwrap_or_else(|| QuickReply::of_queue(result, qp)), verdicts)
            }
            // The decoder ends no request that has no sender.
            Transaction::Idle | Transaction::Message { .. } => {
                (QuickReply::Like(Reply::QueueNotStarted), Vec::new())
            }
        };
        verdicts.into_iter().map(move |verdict| match verdict {
            Verdict::AsTheMessage => outcome.clone(),
            Verdict::Unusable => QuickReply::CannotHandleRecipient,
            Verdict::NotAllowed => QuickReply::Like(Reply::HostNotAllowed),
            Verdict::TooMany => QuickReply::Like(Reply::TooManyRecipients),
        })
    }
}
