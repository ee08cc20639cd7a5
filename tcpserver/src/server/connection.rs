//! One connection, in a process of its own: who is it, may it connect, and then the program.

use super::log::{Log, Verdict};
use super::options::{Options, PeerName, Rules};
use crate::dns::Resolver;
use crate::environment::{End, Facts};
use crate::ident;
use crate::rules::lookup::{self, Instruction, Peer};
use std::convert::Infallible;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::ffi::OsStrExt;
use unix::cdb::Reader;
use unix::environment::Environment;
use unix::exec::{self, Search};
use unix::failure;
use unix::program::Exit;
use unix::signal::{self, Signal};
use unix::{descriptor, file, process, socket};

/// Why a connection is not served.
enum Refusal {
    /// A rule says so.
    Denied,
    /// Something failed; whether the peer may connect is not known or does not matter.
    Trouble(Vec<u8>),
}

/// Serves the connection; returns the status to exit with if that did not come to running the program.
pub(super) fn serve(options: &Options, log: Log, stream: TcpStream, peer: SocketAddr) -> u8 {
    // Signals to this process are not signals to the server.
    signal::default(Signal::SIGTERM);
    signal::default(Signal::SIGCHLD);
    match try_serve(options, log, stream, peer) {
        Ok(never) => match never {},
        Err(Refusal::Denied) => Exit::PERMANENT.0,
        Err(Refusal::Trouble(why)) => {
            log.dropping(&why);
            Exit::TEMPORARY.0
        }
    }
}

fn try_serve(
    options: &Options,
    log: Log,
    mut stream: TcpStream,
    peer: SocketAddr,
) -> Result<Infallible, Refusal> {
    let pid = process::own_pid();
    log.started(pid, peer.ip().to_canonical());
    prepare(options, &stream, peer);
    step("unable to print banner", stream.write_all(&options.banner))?;
    let local = step("unable to get local address", stream.local_addr())?;
    let facts = find_out(options, local, peer);
    let mut environment = Environment::inherited();
    facts.set_variables(&mut environment);
    let verdict = match &options.rules {
        Some(rules) => judge(rules, &facts, &mut environment)?,
        None => Verdict::Ok,
    };
    log.judged(pid, verdict, &facts);
    if verdict == Verdict::Deny {
        return Err(Refusal::Denied);
    }
    run(options, &stream, &environment)
}

/// Sets the connection up. What cannot be set is no reason not to serve.
fn prepare(options: &Options, stream: &TcpStream, peer: SocketAddr) {
    if !options.keep_ip_options && peer.ip().to_canonical().is_ipv4() {
        // A source route would lead our answers to whoever pretends to be the peer.
        let _ = socket::clear_ip_options(stream);
    }
    if options.no_delay {
        let _ = stream.set_nodelay(true);
    }
}

/// Asks the DNS and the peer's ident server, as far as the options say. What cannot be found out is unknown.
fn find_out(options: &Options, local: SocketAddr, peer: SocketAddr) -> Facts {
    let asks = options.local_name.is_none() || options.peer_name != PeerName::Unknown;
    let resolver = if asks { Resolver::from_system().ok() } else { None };
    let (local_end, remote_end) = (canonical(local), canonical(peer));
    let local_host = match &options.local_name {
        Some(name) => Some(name.clone()),
        None => resolver.as_ref().and_then(|resolver| first_name(resolver, local_end.ip())),
    };
    let claimed = match options.peer_name {
        PeerName::Unknown => None,
        PeerName::AsClaimed | PeerName::Confirmed => {
            resolver.as_ref().and_then(|resolver| first_name(resolver, remote_end.ip()))
        }
    };
    let remote_host = match options.peer_name {
        PeerName::Confirmed => claimed.filter(|name| {
            resolver.as_ref().is_some_and(|resolver| has_address(resolver, name, remote_end.ip()))
        }),
        PeerName::Unknown | PeerName::AsClaimed => claimed,
    };
    drop(resolver);
    let info = options.ident.and_then(|patience| ident::ask(local, peer, patience).ok());
    Facts {
        local: End { address: local_end, host: local_host },
        remote: End { address: remote_end, host: remote_host },
        info,
    }
}

/// An IPv4 address that came in through an IPv6 socket is an IPv4 address.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Only the first name counts, even if there are others.
fn first_name(resolver: &Resolver, address: IpAddr) -> Option<Vec<u8>> {
    let name = resolver.names(address).ok()?.into_iter().next()?;
    (name != b".").then_some(name)
}

fn has_address(resolver: &Resolver, name: &[u8], address: IpAddr) -> bool {
    resolver.addresses(name).is_ok_and(|addresses| addresses.contains(&address))
}

/// Follows the rule for this peer. Without knowing the rules nobody is served: they may deny.
fn judge(rules: &Rules, facts: &Facts, environment: &mut Environment) -> Result<Verdict, Refusal> {
    let instructions = match instructions(rules, facts) {
        Err(error) if rules.may_be_absent && failure::is_absent(&error) => Vec::new(),
        other => {
            let name = rules.path.as_os_str().as_bytes();
            step([&b"unable to read "[..], name].concat(), other)?
        }
    };
    let mut verdict = Verdict::Ok;
    for instruction in instructions {
        match instruction {
            Instruction::Deny => verdict = Verdict::Deny,
            Instruction::Set { name, value } => environment.set(name, value),
        }
    }
    Ok(verdict)
}

fn instructions(rules: &Rules, facts: &Facts) -> io::Result<Vec<Instruction>> {
    let database = Reader::new(file::open_read(&rules.path)?)?;
    let ip = facts.remote.address.ip().to_string();
    let peer = Peer { ip: ip.as_bytes(), host: facts.remote.host.as_deref(), info: facts.info.as_deref() };
    Ok(lookup::find(&database, peer)?.map(|found| found.instructions).unwrap_or_default())
}

/// Becomes the program, with the connection as descriptors 0 and 1 and nothing else of ours.
fn run(options: &Options, stream: &TcpStream, environment: &Environment) -> Result<Infallible, Refusal> {
    let placed = descriptor::place(stream, 0).and_then(|()| descriptor::place(stream, 1));
    step("unable to set up descriptors", placed)?;
    signal::default(Signal::SIGPIPE);
    let error = exec::exec(&options.program, environment, Search::Path);
    let program = options.program.first().map(Vec::as_slice).unwrap_or_default();
    Err(Refusal::Trouble(failure::because([b"unable to run ", program].concat(), &error)))
}

fn step<T>(what: impl AsRef<[u8]>, result: io::Result<T>) -> Result<T, Refusal> {
    result.map_err(|error| Refusal::Trouble(failure::because(what, &error)))
}
