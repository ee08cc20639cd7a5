//! One connection: who is it, may it connect, and then the program, in a process of its own.
//!
//! Where somebody has to be asked for that (names, ident) or given something (the banner), it all happens in that
//! process, a copy of the server which may wait. Otherwise the server finds everything out by itself and writes down what
//! the process is to do, which then needs no copy of the server's memory.

use super::kept::{Begun, Kept};
use super::log::{Log, Verdict};
use super::options::{Options, PeerName, Rules};
use super::proxy::{self, Header};
use crate::environment::{End, Facts};
use crate::ident;
use crate::names::{Names, Question};
use crate::rules::lookup::{self, Instruction, Peer};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use unix::cdb::Reader;
use unix::environment::Environment;
use unix::exec::{Program, Search};
use unix::fork_server::{Call, Parent};
use unix::process::{Ended, Pid};
use unix::program::Exit;
use unix::starter::{Line, Run, Start, Starter, Then};
use unix::{failure, file, process, socket};

/// What is the same for all connections.
pub(super) struct Setting<'a> {
    pub options: &'a Options,
    pub log: Log,
    /// Who is asked for names, if they are wanted.
    pub names: Option<Names>,
    /// What the server was given itself.
    pub environment: Environment,
}

/// The process that serves a connection.
pub(super) struct Child {
    pub pid: Pid,
    /// It goes on to others, and is a copy of the program that is kept.
    pub is_copy: bool,
    /// It served another before, and that ended so.
    pub earlier: Option<Ended>,
    /// What the server is to say of it.
    pub lines: Vec<Line>,
}

impl Child {
    /// A process that has served nobody yet, and says itself what there is to say.
    fn new(pid: Pid) -> Child {
        Child { pid, is_copy: false, earlier: None, lines: Vec::new() }
    }
}

/// Finds the process that serves the connection.
pub(super) fn start(
    setting: &Setting,
    starter: &mut Starter,
    kept: Option<&mut Kept>,
    mut stream: TcpStream,
    peer: SocketAddr,
) -> io::Result<Child> {
    let Setting { options, log, .. } = setting;
    let started = log.started(peer.ip().to_canonical());
    if needs_time(options) {
        let child = process::fork(move || {
            if let Some(line) = started {
                line.say();
            }
            prepare(options, &stream, peer);
            let ends = meet(options, &mut stream, peer);
            plan(setting, None, &stream, ends.and_then(|ends| decide(setting, ends))).carry_out()
        });
        return child.map(Child::new);
    }
    prepare(options, &stream, peer);
    let decision = ends(&stream, peer).and_then(|ends| decide(setting, ends));
    if let (Some(kept), Ok(decision)) = (kept, &decision)
        && let Some(Begun { pid, earlier }) = call(setting, kept, &stream, decision)
    {
        let lines = started.into_iter().chain(log.judged(decision.verdict, &decision.facts)).collect();
        return Ok(Child { pid, is_copy: true, earlier, lines });
    }
    starter.start(plan(setting, started, &stream, decision)).map(Child::new)
}

/// Lets a copy of the program that is kept serve a connection that is to be served. `None`: it has to be run.
fn call(setting: &Setting, kept: &mut Kept, stream: &TcpStream, decision: &Decision) -> Option<Begun> {
    if decision.verdict == Verdict::Deny {
        return None;
    }
    let call = Call {
        arguments: setting.options.program.iter().skip(1).cloned().collect(),
        environment: Some(&decision.environment),
        identity: None,
        descriptors: &[0, 1].map(|number| (stream.as_fd(), number)),
        parent: Parent::Starter,
    };
    kept.call(&call)
}

/// Whether serving a connection takes more than this machine can do at once.
pub(super) fn needs_time(options: &Options) -> bool {
    let Options { balancers, banner, ident, .. } = options;
    !balancers.is_empty() || !banner.is_empty() || ident.is_some() || asks_for_names(options)
}

/// Whether somebody is asked for names, for some connection.
pub(super) fn asks_for_names(options: &Options) -> bool {
    options.local_name.is_none() || options.peer_name != PeerName::Unknown
}

/// What is to become of a connection.
struct Decision {
    facts: Facts,
    verdict: Verdict,
    environment: Environment,
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

fn decide(setting: &Setting, ends: Ends) -> Result<Decision, Trouble> {
    let Setting { options, .. } = setting;
    let facts = find_out(options, setting.names.as_ref(), ends.local, ends.remote);
    let mut environment = setting.environment.clone();
    facts.set_variables(&mut environment);
    let verdict = match &options.rules {
        Some(rules) => judge(rules, &facts, &mut environment)?,
        None => Verdict::Ok,
    };
    Ok(Decision { facts, verdict, environment })
}

/// What the process of a connection does, now that it is decided.
fn plan(
    setting: &Setting,
    first: Option<Line>,
    stream: &TcpStream,
    decision: Result<Decision, Trouble>,
) -> Start {
    let Setting { options, log, .. } = setting;
    let mut lines: Vec<Line> = first.into_iter().collect();
    let dropping = |lines: &mut Vec<Line>, why: &[u8]| {
        lines.extend(log.drop_line(why).map(Line::plain));
        Then::Exit(Exit::TEMPORARY.0)
    };
    let then = match decision {
        Err(Trouble(why)) => dropping(&mut lines, &why),
        Ok(Decision { facts, verdict, environment }) => {
            lines.extend(log.judged(verdict, &facts));
            let name = options.program.first().map(Vec::as_slice).unwrap_or_default();
            let not_run = [b"unable to run ", name].concat();
            match Program::prepare(&options.program, &environment, Search::Path) {
                _ if verdict == Verdict::Deny => Then::Exit(Exit::PERMANENT.0),
                Err(error) => dropping(&mut lines, &failure::because(not_run, &error)),
                Ok(program) => Then::Run(Box::new(Run {
                    program,
                    // The program gets nothing else of ours.
                    descriptors: [0, 1].map(|number| (stream.as_raw_fd(), number)).into(),
                    not_placed: log.drop_line(b"unable to set up descriptors"),
                    not_run: log.drop_line(&not_run),
                    failed: Exit::TEMPORARY.0,
                })),
            }
        }
    };
    Start { lines, then }
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

/// Asks for names and asks the peer's ident server, as far as the options say. What cannot be found out is unknown.
fn find_out(options: &Options, names: Option<&Names>, local: SocketAddr, peer: SocketAddr) -> Facts {
    let (local_end, remote_end) = (canonical(local), canonical(peer));
    let of_local = options.local_name.is_none().then(|| Question::Name(local_end.ip()));
    let of_remote = match options.peer_name {
        PeerName::Unknown => None,
        PeerName::AsClaimed => Some(Question::Name(remote_end.ip())),
        PeerName::Confirmed => Some(Question::ConfirmedName(remote_end.ip())),
    };
    let [local_host, remote_host] = match names {
        Some(names) => names.ask([of_local, of_remote]),
        None => [None, None],
    };
    let known = |answer: Option<Result<Vec<u8>, _>>| answer.and_then(Result::ok);
    let info = options.ident.and_then(|patience| ident::ask(local, peer, patience).ok());
    Facts {
        local: End { address: local_end, host: options.local_name.clone().or_else(|| known(local_host)) },
        remote: End { address: remote_end, host: known(remote_host) },
        info,
    }
}

/// An IPv4 address that came in through an IPv6 socket is an IPv4 address.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
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
