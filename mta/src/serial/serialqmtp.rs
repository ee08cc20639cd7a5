//! `serialqmtp` sends messages from a maildir to one host by QMTP.
//!
//! Reads    fd 0: names of files; those files; fd 6: the host's replies; TCPREMOTEIP.
//! Writes   fd 1: a report of each message; fd 7: to the host.
//! Runs as  the owner of the maildir, for maildirserial.   Trusts  nothing that the host says but that it took a message.
//! Exits    0 all was tried · 100 called wrongly · 111 connection or protocol failed, or a file could not be read.
//! Manual   serialqmtp(1).    Next in the flow: the host.
//!
//! No message waits for the reply to the one before it. Replies come in the order of the messages.

use super::message::Message;
use super::protocol::{Names, said_by};
use super::qmtp::{self, Replies};
use super::serialsmtp::report;
use super::wire::{self, WRITE_TIMEOUT, Wire};
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};
use unix::descriptor;
use unix::failure::Failure;
use unix::poll::{self, Interest};
use unix::program::{Exit, Invocation};
use unix::signal::{self, Signal};

const USAGE: &str = "serialqmtp prefix";
/// How long a reply is waited for.
const READ_TIMEOUT: Duration = Duration::from_secs(3600);
/// As much of a message is sent at once.
const PIECE: u64 = 16 * 1024;

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let [prefix, ..] = invocation.arguments.as_slice() else { return Err(Failure::usage(USAGE)) };
    signal::ignore(Signal::SIGPIPE);
    let mut client = Client {
        prefix,
        said_by: said_by(invocation.environment().get("TCPREMOTEIP")),
        wire: Wire::inherited()?,
        names: Names::default(),
        sending: None,
        awaited: VecDeque::new(),
        replies: Replies::default(),
        trouble: None,
        progress: Instant::now(),
    };
    loop {
        client.prepare();
        if client.has_finished() {
            return client.trouble.map_or(Ok(Exit::SUCCESS), Err);
        }
        client.wait_and_work()?;
    }
}

struct Client<'a> {
    prefix: &'a [u8],
    said_by: Vec<u8>,
    wire: Wire,
    names: Names,
    sending: Option<Sending>,
    /// The messages that were sent to their end, in order.
    awaited: VecDeque<Vec<u8>>,
    replies: Replies,
    /// Why nothing more is sent. What was sent before is still worth its replies.
    trouble: Option<Failure>,
    /// When anything last went either way.
    progress: Instant,
}

impl Client<'_> {
    /// Begins the next message that there is, if none is being sent.
    fn prepare(&mut self) {
        while self.trouble.is_none() && self.sending.is_none() {
            let Some(name) = self.names.take() else { return };
            match Sending::begin(name, self.prefix) {
                Ok(sending) => self.sending = sending,
                Err(failure) => self.trouble = Some(failure),
            }
            self.progress = Instant::now();
        }
    }

    fn wants_names(&self) -> bool {
        self.trouble.is_none() && self.sending.is_none() && !self.names.has_ended()
    }

    fn wants_replies(&self) -> bool {
        self.sending.is_some() || !self.awaited.is_empty() || !self.replies.is_between()
    }

    fn has_finished(&self) -> bool {
        !self.wants_names() && !self.wants_replies()
    }

    /// Waits until one of the three descriptors is ready, and does what is possible then.
    fn wait_and_work(&mut self) -> Result<(), Failure> {
        let (writes, hears, asks) = (self.sending.is_some(), self.wants_replies(), self.wants_names());
        let limit = match (writes, hears) {
            (true, _) => Some(WRITE_TIMEOUT),
            (false, true) => Some(READ_TIMEOUT),
            (false, false) => None,
        };
        let left = limit.map(|limit| limit.saturating_sub(self.progress.elapsed()));
        let input = descriptor::input();
        let all = [
            (writes, self.wire.writer(), Interest::Write),
            (hears, self.wire.reader(), Interest::Read),
            (asks, input.as_fd(), Interest::Read),
        ];
        let wanted: Vec<_> = all
            .iter()
            .filter(|(is_wanted, ..)| *is_wanted)
            .map(|(_, descriptor, interest)| (*descriptor, *interest))
            .collect();
        let mut ready = poll::wait(&wanted, left).map_err(|error| wire::read_failure(&error))?.into_iter();
        let mut is_ready = |is_wanted: bool| is_wanted && ready.next().unwrap_or(false);
        let (can_write, can_hear, can_ask) = (is_ready(writes), is_ready(hears), is_ready(asks));
        if can_hear {
            self.hear()?;
        }
        if can_write {
            self.send();
        }
        if can_ask && self.names.read(&mut descriptor::input()).is_err() {
            self.trouble = Some(Failure::temporary("unable to read input"));
        }
        let is_late = left.is_some_and(|left| left.is_zero()) && !(can_write || can_hear || can_ask);
        if is_late { self.time_is_over(writes) } else { Ok(()) }
    }

    fn time_is_over(&mut self, is_sending: bool) -> Result<(), Failure> {
        if is_sending {
            self.stop("unable to write to network");
            return Ok(());
        }
        Err(wire::read_failure(&ErrorKind::TimedOut.into()))
    }

    /// Sends no more. The host sees a message that is broken off, which is none.
    fn stop(&mut self, why: &str) {
        self.sending = None;
        self.trouble = Some(Failure::temporary(why));
    }

    fn send(&mut self) {
        let Some(sending) = &mut self.sending else { return };
        let Ok(sent) = self.wire.write_now(&sending.bytes) else {
            return self.stop("unable to write to network");
        };
        if sent > 0 {
            self.progress = Instant::now();
        }
        sending.bytes.drain(..sent.min(sending.bytes.len()));
        if !sending.bytes.is_empty() {
            return;
        }
        match sending.refill() {
            Ok(true) => {}
            Ok(false) => self.awaited.extend(self.sending.take().map(|sending| sending.name)),
            Err(_) => self.stop("unable to read file"),
        }
    }

    fn hear(&mut self) -> Result<(), Failure> {
        let mut buffer = [0; 4096];
        let length = self.wire.read_now(&mut buffer)?;
        self.progress = Instant::now();
        let mut found = Vec::new();
        let fed = self.replies.feed(buffer.get(..length).unwrap_or_default(), &mut found);
        for (status, text) in found {
            // A reply to a message that was not sent to its end says nothing that can be relied on.
            let name = self.awaited.pop_front().ok_or_else(violation)?;
            report(&name, status, [self.said_by.as_slice(), &text].concat())?;
        }
        fed.map_err(|_| violation())
    }
}

fn violation() -> Failure {
    Failure::temporary("remote protocol violation")
}

/// The message that is being sent.
struct Sending {
    name: Vec<u8>,
    /// Ready to go; never empty between two calls.
    bytes: Vec<u8>,
    body: Option<Body>,
}

struct Body {
    message: Message,
    /// So many bytes were promised and not read yet.
    left: u64,
}

impl Sending {
    /// Begins a message; nothing for a file that is none, or not for this prefix.
    fn begin(name: Vec<u8>, prefix: &[u8]) -> Result<Option<Sending>, Failure> {
        let opened = Message::open(Path::new(OsStr::from_bytes(&name)), prefix);
        let opened = opened.map_err(|_| Failure::temporary("unable to open file"))?;
        Ok(opened.map(|message| {
            let left = message.body_length();
            Sending { name, bytes: qmtp::before_body(left), body: Some(Body { message, left }) }
        }))
    }

    /// Gets the next bytes ready; false if all have gone.
    ///
    /// # Errors
    /// The file cannot be read, or has become shorter.
    fn refill(&mut self) -> io::Result<bool> {
        let Some(body) = &mut self.body else { return Ok(false) };
        if body.left == 0 {
            self.bytes.extend(qmtp::behind_body(&body.message.envelope));
            self.body = None;
            return Ok(true);
        }
        let mut piece = Vec::new();
        (&mut body.message).take(body.left.min(PIECE)).read_to_end(&mut piece)?;
        if piece.is_empty() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        body.left = body.left.saturating_sub(piece.len() as u64);
        self.bytes = piece;
        Ok(true)
    }
}
