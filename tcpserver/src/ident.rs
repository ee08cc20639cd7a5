//! Ident (RFC 1413): asking the host at the other end who made a connection.
//!
//! The answer is that host's claim and nothing more. The question is
//! `REMOTEPORT , LOCALPORT`, the answer `REMOTEPORT , LOCALPORT : USERID : SYSTEM : WHO`.

use crate::deadline::Deadline;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;
use unix::poll::Interest;

/// Asks the peer's host about the connection between these two addresses, with one time limit for everything.
///
/// # Errors
/// If there is no whole answer in time. An answer that names nobody is not an error but empty.
pub fn ask(local: SocketAddr, peer: SocketAddr, patience: Duration) -> io::Result<Vec<u8>> {
    let deadline = Deadline::after(patience);
    let socket = Socket::new(Domain::for_address(peer), Type::STREAM, Some(Protocol::TCP))?;
    // The other side looks for a connection between these two addresses.
    socket.bind(&at_port(local, 0).into())?;
    let question = format!("{} , {}\r\n", peer.port(), local.port());
    socket.connect_timeout(&at_port(peer, IDENT_PORT).into(), deadline.left()?)?;
    socket.set_nonblocking(true)?;
    deadline.wait(&socket, Interest::Write)?;
    // So short a question fits into an empty socket as a whole.
    (&socket).write_all(question.as_bytes())?;
    let mut answer = Answer::default();
    let mut buffer = [0; 128];
    loop {
        deadline.wait(&socket, Interest::Read)?;
        let length = (&socket).read(&mut buffer)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if buffer.iter().take(length).any(|byte| answer.is_complete_with(*byte)) {
            return Ok(answer.info());
        }
    }
}

fn at_port(mut address: SocketAddr, port: u16) -> SocketAddr {
    address.set_port(port);
    address
}

/// The answer as far as it has been read. Blanks count nowhere, not even inside the name.
#[derive(Debug, Default)]
struct Answer {
    colons: usize,
    info: Vec<u8>,
}

impl Answer {
    /// Takes one more byte; whether the answer is complete.
    fn is_complete_with(&mut self, byte: u8) -> bool {
        match byte {
            b'\n' => return true,
            b' ' | b'\t' | b'\r' => {}
            b':' if self.colons < 3 => self.colons = self.colons.saturating_add(1),
            _ if self.colons < 3 => {}
            _ => self.info.push(byte),
        }
        self.info.len() >= INFO_LIMIT
    }

    /// What stands after the third colon: nothing if the server names nobody. A variable cannot have a NUL,
    /// so that is where it ends.
    fn info(self) -> Vec<u8> {
        self.info.into_iter().take_while(|byte| *byte != 0).collect()
    }
}

const IDENT_PORT: u16 = 113;
/// How much of an answer is read.
const INFO_LIMIT: usize = 257;

#[cfg(test)]
mod tests {
    use super::*;

    /// What an answer says, and whether it was complete.
    fn read(text: &[u8]) -> (Vec<u8>, bool) {
        let mut answer = Answer::default();
        let complete = text.iter().any(|byte| answer.is_complete_with(*byte));
        (answer.info(), complete)
    }

    #[test]
    fn the_name_stands_after_the_third_colon_without_blanks() {
        assert_eq!(read(b"25 , 40000 : USERID : UNIX : joe\r\n"), (b"joe".to_vec(), true));
        assert_eq!(read(b"1,2:USERID:UNIX: j o\te : x\r\nrest"), (b"joe:x".to_vec(), true));
    }

    #[test]
    fn an_error_names_nobody() {
        assert_eq!(read(b"25 , 40000 : ERROR : NO-USER\r\n"), (Vec::new(), true));
        assert_eq!(read(b"\n"), (Vec::new(), true));
        assert_eq!(read(b"1,2:USERID:UNIX:\r\n"), (Vec::new(), true));
    }

    #[test]
    fn an_answer_is_complete_at_its_newline_or_when_it_is_long_enough() {
        assert!(!read(b"1,2:USERID:UNIX:joe").1);
        let long = [&b"1,2:USERID:UNIX:"[..], &[b'a'; 1000]].concat();
        assert_eq!(read(&long), (vec![b'a'; 257], true));
    }

    #[test]
    fn a_nul_ends_the_name() {
        assert_eq!(read(b"1,2:USERID:UNIX:jo\0e\n"), (b"jo".to_vec(), true));
    }
}
