//! `serialsmtp` sends messages from a maildir to one host by SMTP.
//!
//! Reads    fd 0: names of files; those files; fd 6: the host's replies; TCPREMOTEIP.
//! Writes   fd 1: a report of each message; fd 7: to the host.
//! Runs as  the owner of the maildir, for maildirserial.   Trusts  nothing that the host says but that it took a message.
//! Exits    0 all was tried · 100 called wrongly · 111 connection or protocol failed, or a file could not be read.
//! Manual   serialsmtp(1).    Next in the flow: the host.

use super::message::{Envelope, Message};
use super::protocol::{Names, Report, Status, said_by};
use super::smtp::{Reply, ReplyReader, Session, Step, Then, Trouble};
use super::wire::Wire;
use crate::deliver::remote::body::Encoder;
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;
use unix::descriptor;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::signal::{self, Signal};

const USAGE: &str = "serialsmtp prefix helohost";
/// Longest pause of the host within a reply or before it.
const READ_TIMEOUT: Duration = Duration::from_secs(81);
/// As much of a message is sent at once.
const PIECE: usize = 16 * 1024;
const PARTIAL_LINE: &str = "SMTP cannot transfer messages with partial final lines";

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let [prefix, host, ..] = invocation.arguments.as_slice() else { return Err(Failure::usage(USAGE)) };
    signal::ignore(Signal::SIGPIPE);
    let said_by = said_by(invocation.environment().get("TCPREMOTEIP"));
    let connection = Connection { wire: Wire::inherited()?, arrived: Vec::new(), next: 0 };
    let mut client = Client { prefix, connection, session: Session::new(host), said_by };
    client.greet()?;
    let mut names = Names::default();
    loop {
        while let Some(name) = names.take() {
            client.send(&name)?;
        }
        if names.has_ended() {
            break;
        }
        let read = names.read(&mut descriptor::input());
        read.map_err(|error| Failure::temporary("unable to read input").because(&error))?;
    }
    client.quit();
    Ok(Exit::SUCCESS)
}

struct Client<'a> {
    prefix: &'a [u8],
    connection: Connection,
    session: Session,
    said_by: Vec<u8>,
}

impl Client<'_> {
    /// From the greeting to the first message.
    fn greet(&mut self) -> Result<(), Failure> {
        loop {
            let reply = self.connection.read_reply()?;
            match self.session.take_reply(&reply) {
                Step::Send(line) => self.connection.wire.write(&line)?,
                Step::Ready => return Ok(()),
                Step::GiveUp(trouble) => return Err(self.give_up(trouble)),
                Step::Wait | Step::SendMessage | Step::Report(..) => {
                    return Err(self.give_up(Trouble::Violation));
                }
            }
        }
    }

    /// Sends a message and reports it; nothing for a file that is none, or not for this prefix.
    fn send(&mut self, name: &[u8]) -> Result<(), Failure> {
        let opened = Message::open(Path::new(OsStr::from_bytes(name)), self.prefix);
        let unable =
            |error: io::Error| Failure::temporary([b"unable to open ", name].concat()).because(&error);
        let Some(mut message) = opened.map_err(unable)? else { return Ok(()) };
        if message.ends_within_a_line().map_err(|error| unreadable(&error))? {
            // Said before it is begun: a message that is broken off ends the connection, and keeps those behind it waiting.
            return report(name, Status::PutOff, PARTIAL_LINE.as_bytes().to_vec());
        }
        let envelope = message.envelope.clone();
        self.converse(name, &envelope, &mut message)
    }

    fn converse(&mut self, name: &[u8], envelope: &Envelope, message: &mut Message) -> Result<(), Failure> {
        let begin = self.session.begin(envelope);
        self.connection.wire.write(&begin)?;
        loop {
            let reply = self.connection.read_reply()?;
            match self.session.take_reply(&reply) {
                Step::Send(line) => self.connection.wire.write(&line)?,
                Step::Wait => {}
                Step::SendMessage => self.send_body(message)?,
                Step::Ready => return Ok(()),
                Step::Report(status, then) => {
                    report(name, status, [self.said_by.as_slice(), &reply.last_line].concat())?;
                    if then == Then::Ready {
                        return Ok(());
                    }
                }
                Step::GiveUp(trouble) => return Err(self.give_up(trouble)),
            }
        }
    }

    fn send_body(&mut self, message: &mut Message) -> Result<(), Failure> {
        let (mut encoder, mut encoded) = (Encoder::default(), Vec::new());
        let mut buffer = vec![0; PIECE];
        loop {
            let length = message.read(&mut buffer).map_err(|error| unreadable(&error))?;
            if length == 0 {
                break;
            }
            encoded.clear();
            encoder.encode(buffer.get(..length).unwrap_or_default(), &mut encoded);
            self.connection.wire.write(&encoded)?;
        }
        encoded.clear();
        encoder.finish(&mut encoded).map_err(|_| Failure::temporary(PARTIAL_LINE))?;
        self.connection.wire.write(&encoded)
    }

    fn give_up(&mut self, trouble: Trouble) -> Failure {
        match trouble {
            Trouble::Greeting => {
                self.quit();
                Failure::temporary("connected but greeting failed")
            }
            Trouble::Name => {
                self.quit();
                Failure::temporary("connected but my name was rejected")
            }
            Trouble::Violation => violation(),
        }
    }

    /// Nobody waits for the answer.
    fn quit(&mut self) {
        let _ = self.connection.wire.write(b"QUIT\r\n");
    }
}

struct Connection {
    wire: Wire,
    /// What has arrived and not been looked at, from `next` on.
    arrived: Vec<u8>,
    next: usize,
}

impl Connection {
    fn read_reply(&mut self) -> Result<Reply, Failure> {
        let mut reader = ReplyReader::default();
        loop {
            while let Some(byte) = self.arrived.get(self.next) {
                self.next = self.next.saturating_add(1);
                if let Some(reply) = reader.feed(*byte).map_err(|_| violation())? {
                    return Ok(reply);
                }
            }
            let mut buffer = [0; 4096];
            let length = self.wire.read_within(READ_TIMEOUT, &mut buffer)?;
            self.arrived.clear();
            self.arrived.extend(buffer.iter().take(length));
            self.next = 0;
        }
    }
}

fn violation() -> Failure {
    Failure::temporary("protocol violation")
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::temporary("unable to read file").because(error)
}

/// Reports at once, so that what is known is known if the next message ends the program.
pub fn report(name: &[u8], status: Status, text: Vec<u8>) -> Result<(), Failure> {
    let report = Report { name: name.to_vec(), status, text };
    descriptor::output()
        .write_all(&report.encode())
        .map_err(|error| Failure::temporary("unable to write output").because(&error))
}
