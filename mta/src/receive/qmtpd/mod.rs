//! `qmail-qmtpd` takes messages from one QMTP client and hands them to `qmail-queue`.
//!
//! Reads    fd 0: requests.   control/{rcpthosts, morercpthosts.cdb, databytes, maxrecipients}.
//!          TCPREMOTEHOST, TCPREMOTEIP, TCPREMOTEINFO, TCPLOCALHOST, TCPLOCALIP, RELAYCLIENT, DATABYTES.
//! Writes   fd 1: a reply for each recipient.   fd 2: why it could not serve.
//! Runs     qmail-queue, or what QMAILQUEUE names, once for each message.
//! Runs as  qmaild.   Trusts  its environment and control files, the client for nothing.
//! Exits    0 when the client is gone · 100 if it does not speak QMTP · 111 after an hour, or without resources.
//! Manual   qmail-qmtpd(8).    Next in the flow: queue::enqueue.
//!
//! Here is the loop. What a client sends is in [`request`], what becomes of one message in [`transaction`].

pub mod policy;
pub mod request;
pub mod transaction;

use super::quick_end::End;
use crate::control::{Control, Unreadable};
use crate::message::received::Connection as Ends;
use crate::server::connection::{Connection, Timeouts};
use crate::setup::home::Home;
use policy::Policy;
use request::{Decoder, Step};
use std::time::Duration;
use transaction::Transaction;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::signal::{self, Signal};

/// Seconds that a client has to take a reply.
const REPLY_TIMEOUT: u64 = 1200;
/// How long a client is served.
const SESSION: Duration = Duration::from_hours(1);

/// The program's entry.
pub fn main(_: &Invocation) -> Result<Exit, Failure> {
    signal::ignore(Signal::SIGPIPE);
    let home = Home::of_this_program()?;
    let unreadable = |trouble: Unreadable| Failure::from(trouble);
    let policy = Policy::read(&Control::new(home.control())).map_err(unreadable)?;
    let timeouts = Timeouts::from_seconds(REPLY_TIMEOUT, REPLY_TIMEOUT).with_session(SESSION);
    let mut connection = Connection::new(timeouts);
    let ends = Ends::from_environment();
    let end = serve(&mut connection, &Server { home, policy, ends });
    // The replies to requests that are complete are due whatever came after them.
    let _ = connection.flush();
    end.into_exit()
}

/// What is the same for all messages of a client.
pub struct Server {
    /// Where qmail-queue is.
    pub home: Home,
    /// What the administrator allows.
    pub policy: Policy,
    /// For the Received line.
    pub ends: Ends,
}

/// Serves one request after another. An early end drops the transaction that is open: qmail-queue sees no
/// complete envelope and removes what it has.
fn serve(connection: &mut Connection, server: &Server) -> End {
    let mut decoder = Decoder::default();
    let mut transaction = Transaction::Idle;
    let mut text = Vec::new();
    loop {
        let step = match next_step(connection, &mut decoder, &mut text) {
            Ok(step) => step,
            Err(end) => return end,
        };
        transaction.put(&text, &server.policy);
        text.clear();
        if let Err(end) = advance(&mut transaction, step, connection, server) {
            return end;
        }
    }
}

fn next_step(connection: &mut Connection, decoder: &mut Decoder, text: &mut Vec<u8>) -> Result<Step, End> {
    let bytes = connection.bytes(connection.session_end())?;
    let (used, step) = decoder.feed(bytes, text)?;
    connection.consume(used);
    Ok(step)
}

fn advance(
    transaction: &mut Transaction,
    step: Step,
    connection: &mut Connection,
    server: &Server,
) -> Result<(), End> {
    match step {
        Step::More => {}
        Step::Begun(size) => *transaction = Transaction::begin(server, size)?,
        Step::Sender(address) => *transaction = std::mem::take(transaction).sender(address),
        Step::Recipient(address) => transaction.recipient(address, &server.policy)?,
        Step::Complete => {
            for reply in std::mem::take(transaction).complete() {
                connection.reply(&reply.to_netstring())?;
            }
        }
    }
    Ok(())
}
