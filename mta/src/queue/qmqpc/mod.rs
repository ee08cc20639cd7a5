//! `qmail-qmqpc` queues one message on another host, in the place of `qmail-queue`: a host without a queue.
//!
//! Reads    fd 0: the message, to its end; then fd 1: the envelope.   control/{me, qmqpservers}.
//! Talks    QMQP to the first server that takes a connection.
//! Runs as  whoever has a message to queue.   Trusts  its control files and that server.
//! Exits    0 when the server has said that it has the message; else see `EnqueueError`.
//! Manual   qmail-qmqpc(8).    Next in the flow: receive::qmqpd, there.

pub mod answer;
pub mod envelope;
pub mod server;
pub mod spool;

use super::enqueue_error::EnqueueError;
use super::input::Input;
use crate::control::Control;
use crate::receive::netstring;
use crate::setup::home::Home;
use answer::AnswerReader;
use envelope::EnvelopeEncoder;
use spool::Spool;
use std::io::{self, BufWriter, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::signal::{self, Signal};
use unix::{descriptor, socket};

/// How long one server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the server may neither take nor send a byte.
const PAUSE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the caller may take, as for qmail-queue.
const TIME_LIMIT: Duration = Duration::from_hours(24);
const BUFFER: usize = 64 * 1024;

/// The program's entry. It prints nothing: the exit status is the interface.
pub fn main(_: &Invocation) -> Result<Exit, Failure> {
    signal::ignore(Signal::SIGPIPE);
    match submit() {
        Ok(()) => Ok(Exit::SUCCESS),
        Err(error) => Err(Failure::silent(Exit(error as u8))),
    }
}

fn submit() -> Result<(), EnqueueError> {
    let home = Home::of_this_program().map_err(|_| EnqueueError::HomeDirectory)?;
    std::env::set_current_dir(home.path()).map_err(|_| EnqueueError::HomeDirectory)?;
    let servers = read_servers(&home)?;
    let request = Request::read()?;
    let connection = connect(&servers)?;
    request.send(&connection)?;
    read_answer(&connection)
}

fn read_servers(home: &Home) -> Result<Vec<SocketAddr>, EnqueueError> {
    let control = Control::new(home.control());
    control.line("me").map_err(|_| EnqueueError::Configuration)?;
    let lines = control.list("qmqpservers").map_err(|_| EnqueueError::Configuration)?;
    Ok(lines.ok_or(EnqueueError::Configuration)?.iter().filter_map(|line| server::parse(line)).collect())
}

/// A message with its envelope, as the server is told of it.
struct Request {
    message: Spool,
    /// Netstrings: the sender, then each recipient.
    addresses: Spool,
}

impl Request {
    /// Takes everything from the caller: nothing is sent of a message whose envelope is not complete.
    fn read() -> Result<Request, EnqueueError> {
        let deadline = Instant::now().checked_add(TIME_LIMIT);
        let mut buffer = vec![0; BUFFER];
        let mut request = Request { message: Spool::default(), addresses: Spool::default() };
        let mut input = Input::new(0, descriptor::input(), deadline);
        while let Some(piece) = input.read(&mut buffer)? {
            request.message.push(piece).map_err(|_| EnqueueError::Write)?;
        }
        let mut input = Input::new(1, descriptor::output(), deadline);
        let mut encoder = EnvelopeEncoder::default();
        while !encoder.is_complete() {
            let piece = input.read(&mut buffer)?.ok_or(EnqueueError::BadEnvelope)?;
            request.addresses.push(&encoder.encode(piece)?).map_err(|_| EnqueueError::Write)?;
        }
        Ok(request)
    }

    /// Sends it in as few packets as it fits into. In small pieces each would wait for the server's word that it has the last
    /// one, and servers that look for more where nothing more comes would wait for ever: qmqp-sink of Postfix 3.7 does.
    fn send(self, connection: &TcpStream) -> Result<(), EnqueueError> {
        let message_prefix = netstring::prefix(self.message.length());
        let lengths = [message_prefix.len() as u64, self.message.length(), 1, self.addresses.length()];
        let length = lengths.iter().fold(0_u64, |sum, length| sum.saturating_add(*length));
        let mut writer = BufWriter::with_capacity(BUFFER, connection);
        let mut send = |bytes: &[u8]| writer.write_all(bytes);
        let sent = send(&[netstring::prefix(length), message_prefix].concat())
            .and_then(|()| self.message.for_each(&mut send))
            .and_then(|()| send(b","))
            .and_then(|()| self.addresses.for_each(&mut send))
            .and_then(|()| send(b","))
            .and_then(|()| writer.flush());
        sent.map_err(|_| EnqueueError::ConnectionFailed)
    }
}

/// The first server that takes a connection; no other is asked once there is one.
fn connect(servers: &[SocketAddr]) -> Result<TcpStream, EnqueueError> {
    let mut failure = EnqueueError::Configuration;
    for server in servers {
        match TcpStream::connect_timeout(server, CONNECT_TIMEOUT) {
            Ok(connection) => {
                let limited = connection
                    .set_read_timeout(Some(PAUSE_TIMEOUT))
                    .and_then(|()| connection.set_write_timeout(Some(PAUSE_TIMEOUT)));
                return limited.map(|()| connection).map_err(|_| EnqueueError::NoSocket);
            }
            Err(error) if socket::is_exhausted(&error) => return Err(EnqueueError::NoSocket),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => failure = EnqueueError::ConnectTimeout,
            Err(_) => failure = EnqueueError::ConnectRefused,
        }
    }
    Err(failure)
}

fn read_answer(mut connection: &TcpStream) -> Result<(), EnqueueError> {
    let mut reader = AnswerReader::default();
    let mut buffer = [0; 512];
    loop {
        let length = match connection.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) | Ok(0) => return Err(EnqueueError::ConnectionFailed),
            Ok(length) => length,
        };
        if let Some(answer) = reader.feed(buffer.get(..length).unwrap_or_default()) {
            return answer;
        }
    }
}
