//! `tcp-env` finds out about the connection on descriptor 0 and becomes a program that is told; for inetd.
//!
//! Called   `tcp-env [-rR] [-tN] program [argument ...]`
//! Reads    nothing of what the peer sends.   Writes  nothing.
//! Runs as  whoever inetd says.               Trusts  nobody; see tcp-environ(5).
//! Exits    with the status of the program · 111 descriptor 0 is no connection, or the program cannot be run.
//! Manual   tcp-env(1).

use crate::dns::{Resolver, Trouble};
use crate::environment::{End, Facts};
use crate::ident;
use socket2::SockRef;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use unix::descriptor;
use unix::environment::Environment;
use unix::exec::{self, Search};
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::signal::{self, Signal};

/// The program's entry. inetd gives the connection as standard error as well, so nothing is said there.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let silent = || Failure::silent(Exit::TEMPORARY);
    let options = Options::read(invocation);
    if options.program.is_empty() {
        return Err(silent());
    }
    let mut environment = Environment::inherited();
    // A server that knows the connection has said what it knows: nothing is looked up twice.
    if environment.get("PROTO") != Some(b"TCP") {
        let (local, remote) = ends().map_err(|_| silent())?;
        // A peer that goes away while it is asked for names must not end us.
        signal::ignore(Signal::SIGPIPE);
        find_out(&options, local, remote).set_variables(&mut environment);
        signal::default(Signal::SIGPIPE);
    }
    exec::exec(options.program, &environment, Search::PathOrShell);
    Err(silent())
}

struct Options<'a> {
    /// How long to wait for the peer's ident server; `None` if it is not asked.
    ident: Option<Duration>,
    program: &'a [Vec<u8>],
}

impl Options<'_> {
    /// What is no option is passed over: there is nobody to complain to.
    fn read(invocation: &Invocation) -> Options<'_> {
        let (mut asks, mut seconds) = (true, IDENT_SECONDS);
        let mut options = invocation.options("rRt:");
        loop {
            match options.next_option() {
                Ok(None) => break,
                Ok(Some(option)) => match option.letter {
                    b'r' => asks = true,
                    b'R' => asks = false,
                    _ => seconds = option.number(),
                },
                Err(_) => {}
            }
        }
        let ident = asks.then(|| Duration::from_secs(seconds));
        Options { ident, program: options.operands() }
    }
}

/// The two addresses of the connection.
fn ends() -> io::Result<(SocketAddr, SocketAddr)> {
    let input = descriptor::input();
    let socket = SockRef::from(&input);
    let address = |address: socket2::SockAddr| {
        let address = address.as_socket().ok_or(io::ErrorKind::InvalidInput)?;
        Ok::<_, io::Error>(SocketAddr::new(address.ip().to_canonical(), address.port()))
    };
    Ok((address(socket.local_addr()?)?, address(socket.peer_addr()?)?))
}

fn find_out(options: &Options, local: SocketAddr, remote: SocketAddr) -> Facts {
    let resolver = Resolver::from_system();
    let end = |address: SocketAddr| End { address, host: name(&resolver, address) };
    let info = options.ident.and_then(|patience| ident::ask(local, remote, patience).ok());
    Facts { local: end(local), remote: end(remote), info }
}

/// The name of an address; none if it has none.
fn name(resolver: &Result<Resolver, Trouble>, address: SocketAddr) -> Option<Vec<u8>> {
    let found = resolver.as_ref().map_err(Clone::clone).and_then(|resolver| resolver.names(address.ip()));
    match found {
        Ok(names) => names.into_iter().next().filter(|name| name != b"."),
        Err(Trouble::Absent) => None,
        Err(Trouble::Temporary(_)) => Some(SOFT_ERROR.to_vec()),
    }
}

/// In place of a name that may exist, but could not be found out.
const SOFT_ERROR: &[u8] = b"softdnserror";
const IDENT_SECONDS: u64 = 30;
