//! Where qmail-send hears qmail-queuectl: a socket in a directory that is qmails' own.
//!
//! Only root and qmails can reach it, and only lines of a known form are taken, a few in each turn of the
//! loop. Whoever sends anything else, or does not read his answers, is hung up on or left waiting; mail goes on.

use super::log::Log;
use crate::queue::layout::QUEUECTL_SOCKET;
use crate::queue::queuectl::request::{Answer, Request};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use unix::poll::Interest;
use unix::{account, failure, file, socket};

/// Requests of one client that are carried out before everything else gets its turn again.
const REQUESTS_PER_TURN: usize = 64;
/// Clients at once; more have to wait until one is done.
const MOST_CLIENTS: usize = 8;
/// Bytes of requests, and of answers, that are kept for one client.
const BUFFER: usize = 16 * 1024;

/// The socket and those who are connected.
pub struct Orders {
    listener: Option<UnixListener>,
    clients: Vec<Client>,
}

/// What to do with the requests of a turn: an answer for each.
pub type CarryOut<'a> = dyn FnMut(&[Request]) -> Vec<Answer> + 'a;

struct Client {
    stream: UnixStream,
    input: Vec<u8>,
    output: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// More may come.
    Open,
    /// Nothing more will come; answers may still go out.
    Ended,
    /// Gone, or hung up on.
    Lost,
}

impl Orders {
    /// Listens. The caller holds the queue's lock, so a socket that is there is a dead manager's.
    ///
    /// Without the socket everything works but qmail-queuectl, and the log says so.
    pub fn listen(log: &mut Log) -> Orders {
        let path = Path::new(QUEUECTL_SOCKET);
        let listener = file::remove_if_present(path).and_then(|()| UnixListener::bind(path));
        let listener = listener.and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
        if let Err(error) = &listener {
            let why = failure::describe(error);
            log.warning(format!(
                "unable to listen at {QUEUECTL_SOCKET}: {why}; qmail-queuectl cannot be used"
            ));
        }
        Orders { listener: listener.ok(), clients: Vec::new() }
    }

    /// Nobody can give orders.
    pub fn none() -> Orders {
        Orders { listener: None, clients: Vec::new() }
    }

    /// What to wait for.
    pub fn interests(&self) -> impl Iterator<Item = (BorrowedFd<'_>, Interest)> {
        let has_room = self.clients.len() < MOST_CLIENTS;
        let listener = self.listener.iter().filter(move |_| has_room);
        let new = listener.map(|listener| (listener.as_fd(), Interest::Read));
        new.chain(self.clients.iter().map(|client| (client.stream.as_fd(), client.interest())))
    }

    /// Whether requests have come that are not carried out yet.
    pub fn are_pending(&self) -> bool {
        self.clients.iter().any(|client| client.output.is_empty() && client.has_request())
    }

    /// Takes in what has come, has it carried out, and answers.
    pub fn step(&mut self, carry_out: &mut CarryOut<'_>) {
        self.accept();
        for client in &mut self.clients {
            client.read();
            client.obey(carry_out);
            client.write();
        }
        self.clients.retain(|client| client.state != State::Lost);
    }

    fn accept(&mut self) {
        while self.clients.len() < MOST_CLIENTS {
            let Some(Ok((stream, _))) = self.listener.as_ref().map(UnixListener::accept) else { return };
            // The directory keeps others away already; its mode may have been changed by hand.
            let may = socket::peer_uid(&stream).is_ok_and(|uid| uid == 0 || uid == account::effective_uid());
            if may && stream.set_nonblocking(true).is_ok() {
                self.clients.push(Client {
                    stream,
                    input: Vec::new(),
                    output: Vec::new(),
                    state: State::Open,
                });
            }
        }
    }
}

impl Client {
    /// Answers first: until they are read nothing more is carried out.
    fn interest(&self) -> Interest {
        if self.output.is_empty() { Interest::Read } else { Interest::Write }
    }

    fn has_request(&self) -> bool {
        self.input.contains(&b'\n')
    }

    fn read(&mut self) {
        while self.state == State::Open && self.input.len() < BUFFER {
            let mut piece = [0; 4096];
            match self.stream.read(&mut piece) {
                Ok(0) => self.state = State::Ended,
                Ok(length) => self.input.extend_from_slice(piece.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.state = State::Lost,
            }
        }
    }

    /// Carries out complete lines. Whoever sends something else is not ours, and is hung up on.
    fn obey(&mut self, carry_out: &mut CarryOut<'_>) {
        if self.state == State::Lost || !self.output.is_empty() {
            return;
        }
        let mut requests = Vec::new();
        let mut taken = 0;
        let mut is_sound = true;
        for line in self.input.split_inclusive(|byte| *byte == b'\n').take(REQUESTS_PER_TURN) {
            let Some(complete) = line.strip_suffix(b"\n") else {
                is_sound = line.len() < Request::LONGEST;
                break;
            };
            let Some(request) = Request::decode(complete) else {
                is_sound = false;
                break;
            };
            requests.push(request);
            taken = line.len().saturating_add(taken);
        }
        self.input.drain(..taken.min(self.input.len()));
        for answer in carry_out(&requests) {
            self.output.extend_from_slice(answer.encode().as_bytes());
        }
        let is_over = self.state == State::Ended && self.output.is_empty() && !self.has_request();
        if !is_sound || is_over {
            self.state = State::Lost;
        }
    }

    fn write(&mut self) {
        while self.state != State::Lost && !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(length) => drop(self.output.drain(..length.min(self.output.len()))),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.state = State::Lost,
            }
        }
    }
}
