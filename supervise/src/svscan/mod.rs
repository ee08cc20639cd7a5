//! `svscan` runs a supervise for each service directory in a directory, and one for the log of each.
//!
//! Reads    the directory, at least every five seconds.    Writes  nothing; it holds the pipes between services
//!          and their logs.
//! Runs as  root, from a boot script.    Trusts  whoever may write to the directory.
//! Exits    0 after SIGTERM or SIGINT, once every service and then every log has ended · 111 no such directory.
//!          SIGHUP makes it look at the directory at once.
//! Manual   svscan(8).    Next: [`crate::supervise`].

pub mod service;
mod start;

use crate::supervise::hold_signals;
use service::{Identity, Service, Side, Supervise};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};
use unix::failure::{Failure, because, is_absent};
use unix::limits::{self, Resource};
use unix::poll::{self, Interest};
use unix::process;
use unix::program::{Exit, Invocation};
use unix::signal::{self, Signal, Signals};
use unix::{descriptor, directory, fifo};

/// How long a new directory waits at most until it is found.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);
/// How long to wait at the end before a supervise that could not be told to end is told again.
const BETWEEN_ORDERS: Duration = Duration::from_secs(1);
/// More than this in one directory is taken for a mistake.
const MOST_SERVICES: usize = 10_000;

/// Runs `svscan`. Arguments after the first are passed over.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    if let Some(name) = invocation.arguments.first() {
        directory::enter(Path::new(OsStr::from_bytes(name))).map_err(|error| {
            Failure::temporary([b"unable to chdir to ", name.as_slice()].concat()).because(&error)
        })?;
    }
    // Each service with a log takes two descriptors.
    let open_files = limits::soft_and_hard(Resource::RLIMIT_NOFILE)
        .map_err(|error| Failure::temporary("getrlimit failed").because(&error))?;
    let _ = limits::raise_open_files();
    signal::ignore(Signal::SIGPIPE);
    let signals =
        hold_signals().map_err(|error| Failure::temporary("unable to hold signals").because(&error))?;
    let scanner =
        Scanner { invocation, open_files, services: BTreeMap::new(), next_look: Instant::now(), orders: 0 };
    Ok(scanner.run(&signals))
}

struct Scanner<'a> {
    invocation: &'a Invocation,
    open_files: (u64, u64),
    services: BTreeMap<Identity, Service>,
    next_look: Instant,
    /// How often svscan was told to end.
    orders: u32,
}

impl Scanner<'_> {
    fn run(mut self, signals: &Signals) -> Exit {
        loop {
            self.take_signals(signals);
            self.reap();
            if self.orders > 0 {
                self.end_services();
                if !self.services.values().any(Service::is_running) {
                    return Exit::SUCCESS;
                }
            } else {
                self.keep_services();
            }
            let limit = match self.orders {
                0 => self.next_look.saturating_duration_since(Instant::now()),
                _ => BETWEEN_ORDERS,
            };
            // Polling an open descriptor does not fail; if it did, looking too early would be harmless.
            let _ = poll::wait_one(signals.as_fd(), Interest::Read, Some(limit));
        }
    }

    fn take_signals(&mut self, signals: &Signals) {
        while let Some(signal) = signals.next() {
            match signal {
                Signal::SIGTERM | Signal::SIGINT => self.orders = self.orders.saturating_add(1),
                Signal::SIGHUP => self.next_look = Instant::now(),
                // SIGCHLD only wakes.
                _ => {}
            }
        }
    }

    fn reap(&mut self) {
        let now = Instant::now();
        while let Some((pid, _)) = process::reap_any() {
            // A child that is not ours to know was inherited from who became svscan.
            let _ = self.services.values_mut().any(|service| service.note_end(pid, now));
        }
    }

    fn keep_services(&mut self) {
        if self.next_look <= Instant::now() {
            self.look();
            self.next_look = Instant::now().checked_add(BETWEEN_LOOKS).unwrap_or(self.next_look);
        }
        let missing = |service: &&mut Service| service.is_there;
        for service in self.services.values_mut().filter(missing) {
            start_missing(self.invocation, service, self.open_files);
        }
    }

    /// One look at the directory. If it cannot be read, everything stays as it is.
    fn look(&mut self) {
        let names = match read_names() {
            Ok(names) => names,
            Err(error) => return self.invocation.warn(because("unable to read directory", &error)),
        };
        let mut seen = BTreeSet::new();
        for name in names {
            if let Some(identity) = self.identify(&name)
                && seen.insert(identity)
            {
                self.see(identity, &name);
            }
        }
        for (identity, service) in &mut self.services {
            service.is_there = seen.contains(identity);
        }
        self.services.retain(|_, service| service.is_there || service.is_running());
    }

    /// Which directory a name leads to; nothing if it leads to none.
    fn identify(&self, name: &[u8]) -> Option<Identity> {
        match fs::metadata(OsStr::from_bytes(name)) {
            Ok(found) if found.is_dir() => Some((found.dev(), found.ino())),
            Ok(_) => None,
            Err(error) => {
                self.invocation.warn(because([b"unable to stat ", name].concat(), &error));
                None
            }
        }
    }

    fn see(&mut self, identity: Identity, name: &[u8]) {
        if let Some(service) = self.services.get_mut(&identity) {
            return service.note_sight(name);
        }
        let found = if self.services.len() < MOST_SERVICES {
            pipe_for_log(name)
        } else {
            Err([b"unable to start ", name, b": running too many services"].concat())
        };
        match found {
            Ok(pipe) => {
                let mut service = Service::new(name, pipe);
                start_missing(self.invocation, &mut service, self.open_files);
                self.services.insert(identity, service);
            }
            Err(trouble) => self.invocation.warn(trouble),
        }
    }

    /// Ends each service, and then its log, which reads what is left first. Asked a second time, svscan does
    /// not wait for that.
    fn end_services(&mut self) {
        let log_letters: &[u8] = if self.orders > 1 { b"dx" } else { b"x" };
        for service in self.services.values_mut() {
            let name = service.name.clone();
            if service.supervise.pid().is_some() {
                tell(&mut service.supervise, &[&name, b"/supervise/control".as_slice()].concat(), b"dx");
            } else if let Some(log) = &mut service.log {
                let control = [name.as_slice(), b"/log/supervise/control"].concat();
                let told_already = matches!(log.supervise, Supervise::Running { told: true, .. });
                if told_already && self.orders > 1 {
                    let _ = send(&control, log_letters);
                }
                if tell(&mut log.supervise, &control, log_letters) {
                    log.pipe = None;
                }
            }
        }
    }
}

/// The names in the working directory, in its order, without those that begin with a dot.
fn read_names() -> io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(".")? {
        let name = entry?.file_name().into_vec();
        if !name.starts_with(b".") {
            names.push(name);
        }
    }
    Ok(names)
}

/// The pipe for a new service, if it has a log.
///
/// # Errors
/// What to warn of; the service is not started yet.
fn pipe_for_log(name: &[u8]) -> Result<Option<(OwnedFd, OwnedFd)>, Vec<u8>> {
    let log = [name, b"/log"].concat();
    match fs::metadata(OsStr::from_bytes(&log)) {
        Ok(_) => descriptor::pipe()
            .map(Some)
            .map_err(|error| because([b"unable to create pipe for ", name].concat(), &error)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(because([b"unable to stat ".as_slice(), &log].concat(), &error)),
    }
}

fn start_missing(invocation: &Invocation, service: &mut Service, open_files: (u64, u64)) {
    for side in [Side::Main, Side::Log] {
        if service.side(side) != Some(&mut Supervise::Missing) {
            continue;
        }
        let started = match start::start(invocation, service, side, open_files) {
            Ok(pid) => Supervise::Running { pid, since: Instant::now(), told: false },
            Err(error) => {
                invocation.warn(because([b"unable to fork for ", service.name.as_slice()].concat(), &error));
                Supervise::Resting
            }
        };
        if let Some(supervise) = service.side(side) {
            *supervise = started;
        }
    }
}

/// Tells a supervise once to end; whether it knows, or has ended.
///
/// The FIFO is the way that any supervise understands. Where it is not there (supervise has not made it yet, or
/// the name of the directory is gone) a signal serves, which ours obeys in the same way.
fn tell(supervise: &mut Supervise, control: &[u8], letters: &[u8]) -> bool {
    let Supervise::Running { pid, told, .. } = supervise else { return true };
    if !*told {
        *told = match send(control, letters) {
            Ok(()) => true,
            Err(error) => is_absent(&error) && process::kill(*pid, Signal::SIGTERM).is_ok(),
        };
    }
    *told
}

fn send(control: &[u8], letters: &[u8]) -> io::Result<()> {
    fifo::open_writer(Path::new(OsStr::from_bytes(control)))?.write_all(letters)
}
