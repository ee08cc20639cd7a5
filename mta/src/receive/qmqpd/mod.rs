//! `qmail-qmqpd` takes one message for anywhere from one QMQP client and hands it to `qmail-queue`.
//!
//! Reads    fd 0: the request.   TCPREMOTEHOST, TCPREMOTEIP, TCPREMOTEINFO, TCPLOCALHOST, TCPLOCALIP.
//! Writes   fd 1: the reply.   fd 2: why it could not serve.
//! Runs     qmail-queue, or what QMAILQUEUE names.
//! Runs as  qmaild.   Trusts  whoever lets a client connect: what a client sends, it may send.
//! Exits    0 after the reply, or when the client is gone · 100 if it does not speak QMQP · 111 after an hour, or
//!          without resources.
//! Manual   qmail-qmqpd(8).    Next in the flow: queue::enqueue.

pub mod request;

use crate::message::received::{Connection as Ends, Protocol};
use crate::queue::client::{Envelope, Submission};
use crate::receive::hops::HopCounter;
use crate::receive::quick_end::End;
use crate::receive::quick_reply::QuickReply;
use crate::receive::smtpd::reply::Reply;
use crate::server::connection::{Connection, Timeouts};
use crate::setup::home::Home;
use request::{Address, Decoder, Step};
use std::time::Duration;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::signal::{self, Signal};
use unix::stamp::Stamp;

/// Seconds that the client has to take the reply.
const REPLY_TIMEOUT: u64 = 1200;
/// How long the client may take for all of it.
const SESSION: Duration = Duration::from_hours(1);

/// The program's entry.
pub fn main(_: &Invocation) -> Result<Exit, Failure> {
    signal::ignore(Signal::SIGPIPE);
    let home = Home::of_this_program()?;
    let timeouts = Timeouts::from_seconds(REPLY_TIMEOUT, REPLY_TIMEOUT).with_session(SESSION);
    let mut connection = Connection::new(timeouts);
    match serve(&mut connection, &home) {
        Ok(()) => Ok(Exit::SUCCESS),
        Err(end) => end.into_exit(),
    }
}

/// How far the message is.
enum Transaction {
    Idle,
    Message { submission: Submission, hops: HopCounter },
    Envelope { envelope: Envelope, qp: i32, fault: Option<QuickReply> },
}

/// An early end drops the transaction: qmail-queue sees no complete envelope and removes what it has.
fn serve(connection: &mut Connection, home: &Home) -> Result<(), End> {
    let ends = Ends::from_environment();
    let mut decoder = Decoder::default();
    let mut transaction = Transaction::Idle;
    let mut text = Vec::new();
    loop {
        let bytes = connection.bytes(connection.session_end())?;
        let (used, step) = decoder.feed(bytes, &mut text)?;
        connection.consume(used);
        transaction.put(&text);
        text.clear();
        transaction = match step {
            Step::More => transaction,
            Step::Begun => Transaction::begin(home, &ends)?,
            Step::Sender(address) => transaction.sender(address),
            Step::Recipient(address) => transaction.recipient(address),
            Step::Complete => {
                connection.reply(&transaction.complete().to_netstring())?;
                return Ok(connection.flush()?);
            }
        }
    }
}

impl Transaction {
    fn begin(home: &Home, ends: &Ends) -> Result<Transaction, Failure> {
        let mut submission = Submission::start(home)
            .map_err(|error| Failure::temporary("unable to start qmail-queue").because(&error))?;
        submission.put(&ends.received(Protocol::Qmqp, None, Stamp::now().seconds));
        Ok(Transaction::Message { submission, hops: HopCounter::default() })
    }

    fn put(&mut self, text: &[u8]) {
        if let Transaction::Message { submission, hops } = self {
            hops.feed(text);
            submission.put(text);
        }
    }

    fn sender(self, address: Address) -> Transaction {
        let Transaction::Message { submission, hops } = self else { return self };
        let fault = match &address {
            _ if hops.is_looping() => Some(QuickReply::Like(Reply::TooManyHops)),
            Err(_) => Some(QuickReply::UnacceptableAddress),
            Ok(_) => None,
        };
        let qp = submission.pid().as_raw();
        let mut envelope = submission.envelope(&address.unwrap_or_default());
        if fault.is_some() {
            envelope.abandon();
        }
        Transaction::Envelope { envelope, qp, fault }
    }

    /// One address that is not accepted spoils the request: there is one reply for all.
    fn recipient(mut self, address: Address) -> Transaction {
        if let Transaction::Envelope { envelope, fault, .. } = &mut self {
            match address {
                Ok(address) => envelope.recipient(&address),
                Err(_) => {
                    fault.get_or_insert(QuickReply::UnacceptableAddress);
                    envelope.abandon();
                }
            }
        }
        self
    }

    fn complete(self) -> QuickReply {
        match self {
            Transaction::Envelope { envelope, qp, fault } => {
                let result = envelope.close();
                fault.unwrap_or_else(|| QuickReply::of_queue(result, qp))
            }
            // The decoder ends no request that has no sender.
            Transaction::Idle | Transaction::Message { .. } => QuickReply::Like(Reply::QueueNotStarted),
        }
    }
}
