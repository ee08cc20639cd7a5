//! `tcpclient` makes a TCP connection and becomes a program that uses it.
//!
//! Called   `tcpclient [options] host port program [argument ...]`; host `0` is this machine.
//! Reads    nothing.      Writes  fd 2: each address that cannot be reached.
//! Runs as  anybody.   Trusts  nobody.
//! Exits    with the status of the program, whose connection is fd 6 (to read) and 7 (to write) · 100 called
//!          wrongly · 111 no connection, or the program cannot be run.
//! Manual   tcpclient(8).

mod connect;
mod options;

use crate::dns::{self, Resolver, Trouble};
use crate::environment::{End, Facts};
use crate::{ident, services};
use options::{Options, Verbosity};
use socket2::Socket;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;
use unix::descriptor;
use unix::environment::Environment;
use unix::exec::{self, Search};
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::signal::{self, Signal};

/// Runs the program.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let (verbosity, options) = options::read(invocation)?;
    let failure = match options.and_then(|options| become_program(&options)) {
        Ok(never) => match never {},
        Err(failure) => failure,
    };
    Err(match verbosity {
        Verbosity::Silent => Failure::silent(failure.exit()),
        Verbosity::Errors | Verbosity::All => failure,
    })
}

fn become_program(options: &Options) -> Result<std::convert::Infallible, Failure> {
    // A server that goes away while it is asked for names must not end us.
    signal::ignore(Signal::SIGPIPE);
    let port = services::port(&options.port)?;
    let addresses = addresses(options)?;
    let targets: Vec<SocketAddr> = addresses.into_iter().map(|address| (address, port).into()).collect();
    let stream = connect(options, &targets)?;
    if options.no_delay {
        // Nothing depends on it but speed.
        let _ = stream.set_nodelay(true);
    }
    let mut environment = Environment::inherited();
    find_out(options, &stream)?.set_variables(&mut environment);
    for number in [6, 7] {
        descriptor::place(&stream, number)
            .map_err(|error| failed(&format!("unable to set up descriptor {number}"), &error))?;
    }
    signal::default(Signal::SIGPIPE);
    let error = exec::exec(&options.program, &environment, Search::Path);
    let name = options.program.first().map(Vec::as_slice).unwrap_or_default();
    Err(Failure::temporary([&b"unable to run "[..], name].concat()).because(&error))
}

fn failed(what: &str, error: &io::Error) -> Failure {
    Failure::temporary(what).because(error)
}

/// The addresses of the host, in the order in which they are tried: those of the local address's family.
fn addresses(options: &Options) -> Result<Vec<IpAddr>, Failure> {
    let mut addresses = all_addresses(&options.host)?;
    if let Some(local) = options.local_ip {
        addresses.retain(|address| address.is_ipv4() == local.is_ipv4());
    }
    if addresses.is_empty() {
        return Err(Failure::temporary([&b"no IP address for "[..], &options.host].concat()));
    }
    Ok(addresses)
}

fn all_addresses(host: &[u8]) -> Result<Vec<IpAddr>, Failure> {
    if host.is_empty() || host == b"0" {
        return Ok(vec![Ipv4Addr::LOCALHOST.into()]);
    }
    let found = match dns::known_addresses(host) {
        Some(addresses) => Ok(addresses),
        None => Resolver::from_system().and_then(|resolver| resolver.addresses(host)),
    };
    match found {
        Ok(addresses) => Ok(addresses),
        Err(Trouble::Absent) => Ok(Vec::new()),
        Err(Trouble::Temporary(why)) => {
            let what = b"temporarily unable to figure out IP address for ";
            Err(Failure::temporary([what, host, b": ", why.as_bytes()].concat()))
        }
    }
}

/// A connection to the first address that takes one. Each that does not has its line.
fn connect(options: &Options, targets: &[SocketAddr]) -> Result<TcpStream, Failure> {
    let quiet = options.verbosity == Verbosity::Silent;
    let attempt = |target: SocketAddr, patience: Duration| -> Result<io::Result<Socket>, Failure> {
        let socket =
            connect::socket_for(target).map_err(|error| failed("unable to create socket", &error))?;
        connect::bind(&socket, options.local_ip, options.local_port, target)
            .map_err(|error| failed("unable to bind socket", &error))?;
        Ok(socket.connect_timeout(&target.into(), patience.max(SHORTEST)).map(|()| socket))
    };
    let report = |target: SocketAddr, error: &io::Error| {
        if !quiet {
            let address = place(target);
            let reason = unix::failure::describe(error);
            descriptor::write_error_line(&[
                b"tcpclient: unable to connect to ",
                address.as_bytes(),
                b": ",
                reason.as_bytes(),
            ]);
        }
    };
    let reached = connect::first(targets, options.patience, attempt, report)?;
    let Some((socket, target)) = reached else { return Err(Failure::silent(Exit::TEMPORARY)) };
    if options.verbosity == Verbosity::All {
        descriptor::write_error_line(&[b"tcpclient: connected to ", place(target).as_bytes()]);
    }
    Ok(socket.into())
}

fn place(target: SocketAddr) -> String {
    format!("{} port {}", target.ip(), target.port())
}

/// Asks the DNS and the server's ident server, as far as the options say. What cannot be found out is unknown.
fn find_out(options: &Options, stream: &TcpStream) -> Result<Facts, Failure> {
    let local = stream.local_addr().map_err(|error| failed("unable to get local address", &error))?;
    let remote = stream.peer_addr().map_err(|error| failed("unable to get remote address", &error))?;
    let asks = options.local_name.is_none() || options.look_up;
    let resolver = if asks { Resolver::from_system().ok() } else { None };
    let name = |address: SocketAddr| resolver.as_ref()?.first_name(address.ip());
    let local_host = options.local_name.clone().or_else(|| name(local));
    let remote_host = if options.look_up { name(remote) } else { None };
    let info = options.ident.and_then(|patience| ident::ask(local, remote, patience).ok());
    Ok(Facts {
        local: End { address: local, host: local_host },
        remote: End { address: remote, host: remote_host },
        info,
    })
}

/// No time at all is not a time-out but an error.
const SHORTEST: Duration = Duration::from_millis(1);
