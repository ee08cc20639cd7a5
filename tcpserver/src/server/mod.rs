//! `tcpserver` accepts TCP connections and runs a program for each.
//!
//! Called   `tcpserver [options] host port program [argument ...]`; host `0` is every address, IPv6 and IPv4;
//!          several hosts are separated by commas.
//! Reads    the rules database, for each connection anew.      Writes  fd 2: its log; fd 1: the port, with -1.
//! Runs as  root until the port is open, then as -u and -g say.   Trusts  nobody who connects.
//! Exits    0 after SIGTERM, with its children left running · 100 called wrongly · 111 no port to listen on.
//! Manual   tcpserver(8).    Next in the flow: server::connection, a process for each connection.
//!
//! This process stays small and does nothing that takes time: what others have to be asked for (names, ident)
//! happens in a child, where it can fail and wait without harm to other connections. Names are looked up by a program
//! of their own ([`names`](crate::names)), so that this one has no DNS library in its memory.

mod connection;
mod kept;
mod limits;
mod listener;
mod log;
mod options;
mod peers;
mod proxy;
mod stale;

use crate::names::Names;
use crate::services;
use connection::{Child, Setting};
use kept::Kept;
use limits::{Backoff, Slots};
use log::Log;
use options::{Options, Verbosity};
use peers::Peers;
use stale::Watch;
use std::collections::HashSet;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use unix::environment::Environment;
use unix::failure::Failure;
use unix::fork_server::KeptProgram;
use unix::poll::{self, Interest};
use unix::process::{self, Ended, Pid};
use unix::program::{Exit, Invocation};
use unix::signal::{self, Signal, Signals};
use unix::starter::Starter;
use unix::{account, descriptor, exec};

/// Runs the program.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let (verbosity, options) = options::read(invocation)?;
    let served = options.and_then(|options| start(&options)?.run());
    served.map_err(|failure| match verbosity {
        Verbosity::Silent => Failure::silent(failure.exit()),
        Verbosity::Errors | Verbosity::All => failure,
    })
}

/// Everything that can fail for good comes first: the port, the signals, the identity.
fn start(options: &Options) -> Result<Server<'_>, Failure> {
    let port = services::port(&options.port)?;
    let names = connection::asks_for_names(options).then(Names::beside_us).transpose()?;
    signal::unblock_all();
    let signals = Signals::hold(&[Signal::SIGCHLD, Signal::SIGTERM])
        .map_err(|error| Failure::temporary("unable to hold signals").because(&error))?;
    signal::ignore(Signal::SIGPIPE);
    let listeners = listener::open_all(&options.host, port, options.backlog, options.share_port)?;
    drop_privileges(options)?;
    if options.print_port {
        print_port(&listeners)?;
    }
    // From here on a connection gets number 0, and then 1, without a copy; and whoever waits for our output ends.
    descriptor::close_numbers([0, 1]);
    let log = Log::new(options.verbosity);
    Ok(Server {
        setting: Setting { options, log, names, environment: Environment::inherited() },
        listeners,
        next: 0,
        signals,
        starter: Starter::new(),
        kept: kept_program(options),
        children: HashSet::new(),
        slots: Slots::new(options.limit),
        peers: Peers::new(options.peer_limits),
        watch: options.rules.as_ref().and_then(|rules| Watch::of(&rules.path)),
        backoff: Backoff::default(),
    })
}

fn drop_privileges(options: &Options) -> Result<(), Failure> {
    if options.gid != 0 {
        account::set_groups(options.gid, &[options.gid])
            .map_err(|error| Failure::temporary("unable to set gid").because(&error))?;
    }
    if options.uid != 0 {
        account::set_user(options.uid)
            .map_err(|error| Failure::temporary("unable to set uid").because(&error))?;
    }
    Ok(())
}

fn print_port(listeners: &[TcpListener]) -> Result<(), Failure> {
    let port = listeners.first().map_or(Ok(0), listener::local_port)?;
    // Nobody may be left to read it, which is no reason not to serve.
    let _ = descriptor::output().write_all(format!("{port}\n").as_bytes());
    Ok(())
}

/// The program, if it is to be kept. One that asking takes long for is run by the process that asks.
fn kept_program(options: &Options) -> Option<Kept> {
    let name =
        options.program.first().filter(|_| options.keep_program && !connection::needs_time(options))?;
    exec::find(name).map(|file| Kept::new(KeptProgram::new(file)))
}

struct Server<'a> {
    setting: Setting<'a>,
    listeners: Vec<TcpListener>,
    /// The socket whose turn it is, so that a busy one does not keep the others waiting.
    next: usize,
    signals: Signals,
    starter: Starter,
    /// The program, if it is to copy itself.
    kept: Option<Kept>,
    /// Processes that serve one connection each.
    children: HashSet<Pid>,
    slots: Slots,
    peers: Peers,
    /// Of the rules, if there are any.
    watch: Option<Watch>,
    backoff: Backoff,
}

/// What accepting came to.
enum Accepted {
    Connection(TcpStream, SocketAddr),
    Nobody,
    Failed(io::Error),
}

impl Server<'_> {
    fn run(mut self) -> Result<Exit, Failure> {
        self.setting.log.status(&self.slots);
        loop {
            match self.signals.next() {
                Some(Signal::SIGTERM) => {
                    self.serve_waiting();
                    return Ok(Exit::SUCCESS);
                }
                Some(_) => self.reap(),
                None => {}
            }
            self.take_ended();
            let pause = self.backoff.pause(Instant::now());
            if self.slots.are_full() || pause.is_some() {
                self.wait(false, pause);
                continue;
            }
            match self.accept() {
                Accepted::Connection(stream, peer) => self.serve(stream, peer),
                Accepted::Nobody => self.wait(true, None),
                Accepted::Failed(error) => {
                    if self.backoff.failed(Instant::now()) {
                        self.setting.log.warning("unable to accept", &error);
                    }
                }
            }
        }
    }

    /// Serves who is already in the queue of a shared port: the queue ends with us, and nobody takes it over.
    fn serve_waiting(&mut self) {
        while self.setting.options.share_port
            && let Accepted::Connection(stream, peer) = self.accept()
        {
            self.serve(stream, peer);
        }
    }

    /// Waits for a signal, for a connection if asked to, or for some time.
    fn wait(&self, for_connection: bool, limit: Option<Duration>) {
        let mut descriptors = vec![(self.signals.as_fd(), Interest::Read)];
        let of_copies = self.kept.iter().flat_map(Kept::descriptors);
        descriptors.extend(of_copies.map(|descriptor| (descriptor, Interest::Read)));
        if for_connection {
            descriptors.extend(self.listeners.iter().map(|listener| (listener.as_fd(), Interest::Read)));
        }
        // An error of poll (memory) is taken for "all ready": whoever looks finds out.
        let _ = poll::wait(&descriptors, limit);
    }

    /// Connections that copies have told the end of: before the next one is let in, since peers are counted.
    fn take_ended(&mut self) {
        for (pid, ended) in self.kept.as_mut().map(Kept::take_ended).unwrap_or_default() {
            self.ended(pid, ended);
        }
    }

    fn reap(&mut self) {
        while let Some((pid, ended)) = process::reap_any() {
            let of_copy = self.kept.as_mut().and_then(|kept| kept.died(pid, ended));
            let of_child = self.children.remove(&pid).then_some(ended);
            if let Some(ended) = of_copy.or(of_child) {
                self.ended(pid, ended);
            }
        }
    }

    /// A connection has ended.
    fn ended(&mut self, pid: Pid, ended: Ended) {
        self.slots.give_back();
        self.peers.ended(pid);
        self.setting.log.ended(pid, ended);
        self.setting.log.status(&self.slots);
    }

    fn accept(&mut self) -> Accepted {
        let (before, after) = self.listeners.split_at_checked(self.next).unwrap_or_default();
        for (turn, listener) in after.iter().chain(before).enumerate() {
            match listener.accept() {
                Ok((stream, peer)) => {
                    self.backoff.succeeded();
                    let next = self.next.saturating_add(turn).saturating_add(1);
                    self.next = next.checked_rem(self.listeners.len()).unwrap_or(0);
                    return Accepted::Connection(stream, peer);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Accepted::Failed(error),
            }
        }
        Accepted::Nobody
    }

    fn serve(&mut self, stream: TcpStream, peer: SocketAddr) {
        let (now, address) = (Instant::now(), peer.ip().to_canonical());
        let is_balancer = self.setting.options.balancers.iter().any(|block| block.contains(address));
        if !is_balancer && !self.setting.options.balancers.is_empty() {
            return self.setting.log.dropping(format!("not a balancer: {address}").as_bytes());
        }
        // A balancer stands for many peers, whom only the child will know.
        if !is_balancer && let Err(excess) = self.peers.admit(address, now) {
            return self.setting.log.too_many(address, excess);
        }
        if let Some(source) = self.watch.as_mut().and_then(|watch| watch.newer_source(now)) {
            self.setting.log.stale(source);
        }
        self.slots.take();
        self.setting.log.status(&self.slots);
        match connection::start(&self.setting, &mut self.starter, self.kept.as_mut(), stream, peer) {
            Ok(Child { pid, is_copy, earlier, lines }) => {
                if let Some(earlier) = earlier {
                    self.ended(pid, earlier);
                }
                if !is_copy {
                    self.children.insert(pid);
                }
                lines.iter().for_each(|line| line.say_for(pid));
                self.peers.started(pid, address);
            }
            Err(error) => {
                self.setting.log.dropping(&unix::failure::because("unable to fork", &error));
                self.slots.give_back();
                self.setting.log.status(&self.slots);
            }
        }
    }
}
