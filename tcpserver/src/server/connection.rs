//! One connection: who is it, may it connect, and then the program, in a process of its own.
//!
//! Where somebody has to be asked for that (names, ident) or given something (the banner), it all happens in that
//! process, which may wait. Otherwise the server finds everything out by itself and starts the process last, so
//! that its memory need not be copied for the moment until the program runs.

use super::log::{Log, Verdict};
use super::options::{Options, PeerName, Rules};
use super::proxy::{self, Header};
use crate::dns::Resolver;
use crate::environment::{End, Facts};
use crate::ident;
use crate::rules::lookup::{self, Instruction, Peer};
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::ffi::OsStrExt;
use unix::cdb::Reader;
use unix::environment::Environment;
use unix::exec::{Program, Search};
use unix::failure;
use unix::process::Pid;
use unix::program::Exit;
use unix::signal::{self, Signal};
use unix::{descriptor, file, process, socket};

/// Starts the process that serves the connection.
pub(super) fn start(options: &Options, log: Log, mut stream: TcpStream, peer: SocketAddr) -> io::Result<Pid> {
    if needs_time(options) {
        return process::fork(move || {
            // Signals to this process are not signals to the server.
            SIGNALS.into_iter().for_each(signal::default);
            log.started(process::own_pid(), peer.ip().to_canonical());
            prepare(options, &stream, peer);
            let ends = meet(options, &mut stream, peer);
            finish(options, log, &stream, &ends.and_then(|ends| decide(options, ends)))
        });
    }
    prepare(options, &stream, peer);
    let decision = ends(&stream, peer).and_then(|ends| decide(options, ends));
    process::fork_sharing_memory(&SIGNALS, &mut || {
        log.started(process::own_pid(), peer.ip().to_canonical());
        finish(options, log, &stream, &decision)
    })
}

/// Whether serving a connection takes more than this machine can do at once.
fn needs_time(options: &Options) -> bool {
    let Options { balancers, banner, local_name, peer_name, ident, .. } = options;
    !balancers.is_empty()
        || !banner.is_empty()
        || local_name.is_none()
        || *peer_name != PeerName::Unknown
        || ident.is_some()
}

/// What is to become of a connection.
struct Decision {
    facts: Facts,
    verdict: Verdict,
    program: io::Result<Program>,
}

/// Why nothing could be decided, in words for the log.
struct Trouble(Vec<u8>);

/// The two addresses of a connection.
struct Ends {
    local: SocketAddr,
    remote: SocketAddr,
}

fn ends(stream: &TcpStream, peer: SocketAddr) -> Result<Ends, Trouble> {
    Ok(Ends { local: step("unable to get local address", stream.local_addr())?, remote: peer })
}

/// Lets a balancer say for whom it connects, and greets.
fn meet(options: &Options, stream: &mut TcpStream, peer: SocketAddr) -> Result<Ends, Trouble> {
    let mut ends = ends(stream, peer)?;
    // The server lets in nobody else, if there are balancers.
    if !options.balancers.is_empty()
        && let Header::Behalf { source, destination } =
            step("unable to read PROXY header", proxy::read(stream))?
    {
        ends = Ends { local: destination, remote: source };
    }
    step("unable to print banner", stream.write_all(&options.banner))?;
    Ok(ends)
}

fn decide(options: &Options, ends: Ends) -> Result<Decision, Trouble> {
    let facts = find_out(options, ends.local, ends.remote);
    let mut environment = Environment::inherited();
    facts.set_variables(&mut environment);
    let verdict = match &options.rules {
        Some(rules) => judge(rules, &facts, &mut environment)?,
        None => Verdict::Ok,
    };
    let program = Program::prepare(&options.program, &environment, Search::Path);
    Ok(Decision { facts, verdict, program })
}

/// Does what was decided; returns the status to exit with if that did not come to running the program.
///
/// Nothing may be owned here when the program runs: this process may share its memory with the server.
fn finish(options: &Options, log: Log, stream: &TcpStream, decision: &Result<Decision, Trouble>) -> u8 {
    let Decision { facts, verdict, program } = match decision {
        Ok(decision) => decision,
        Err(Trouble(why)) => return drop_connection(log, why),
    };
    log.judged(process::own_pid(), *verdict, facts);
    if *verdict == Verdict::Deny {
        return Exit::PERMANENT.0;
    }
    // The connection is descriptors 0 and 1 of the program, which gets nothing else of ours.
    if let Err(error) = descriptor::place(stream, 0).and_then(|()| descriptor::place(stream, 1)) {
        return drop_connection(log, &failure::because("unable to set up descriptors", &error));
    }
    signal::default(Signal::SIGPIPE);
    let name = options.program.first().map(Vec::as_slice).unwrap_or_default();
    let not_run = |error: &io::Error| failure::because([b"unable to run ", name].concat(), error);
    match program {
        Ok(program) => drop_connection(log, &not_run(&program.exec())),
        Err(error) => drop_connection(log, &not_run(error)),
    }
}

fn drop_connection(log: Log, why: &[u8]) -> u8 {
    log.dropping(why);
    Exit::TEMPORARY.0
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
        None => resolver.as_ref().and_then(|resolver| resolver.first_name(local_end.ip())),
    };
    let claimed = match options.peer_name {
        PeerName::Unknown => None,
        PeerName::AsClaimed | PeerName::Confirmed => {
            resolver.as_ref().and_then(|resolver| resolver.first_name(remote_end.ip()))
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

fn has_address(resolver: &Resolver, name: &[u8], address: IpAddr) -> bool {
    resolver.addresses(name).is_ok_and(|addresses| addresses.contains(&address))
}

/// Follows the rule for this peer. Without knowing the rules nobody is served: they may deny.
fn judge(rules: &Rules, facts: &Facts, environment: &mut Environment) -> Result<Verdict, Trouble> {
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

fn step<T>(what: impl AsRef<[u8]>, result: io::Result<T>) -> Result<T, Trouble> {
    result.map_err(|error| Trouble(failure::because(what, &error)))
}

/// Signals that mean something to the server and nothing to this process.
const SIGNALS: [Signal; 2] = [Signal::SIGTERM, Signal::SIGCHLD];
