//! Mail from one end to the other: messages of 4 kB accepted by SMTP, queued durably, and delivered; our mail system beside
//! Postfix and OpenSMTPD.
//!
//! Three loads, each with twenty sessions in parallel: to one maildir with a connection for each message
//! (`mail-local`); the same with a hundred messages a connection (`mail-kept`); and on to another host, which is smtp-sink
//! (`mail-relay`). `mail` is all three. Each run gives four figures: messages accepted and delivered a second, processor time
//! for a message and memory at the peak.
//!
//! The systems run all the time and take turns; one that has nothing to do does nothing. They share the disk, the user, his
//! maildir and smtp-sink, are told to make as many deliveries at a time, ask no DNS, and log to a file. What each has
//! accepted survives a power cut. A run counts only if every message arrived.
//!
//! For work on some of them there are `MAIL_SYSTEMS=qmail,Postfix`, `MAIL_ROUNDS=1` and `MAIL_MESSAGES=500`.

mod arrivals;
mod load;
mod opensmtpd;
mod ours;
mod postfix;
mod server;
mod usage;

use crate::compare::{Better, Comparison, ManyTrial, ROUNDS, Table};
use arrivals::Destination;
use load::{Figures, Load};
use server::{Server, Site};
use std::env;

/// The host whose mail is delivered locally.
const HOST: &str = harness::HOST;
/// Sessions of the load, and deliveries that each system may make at a time.
const PARALLEL: usize = 20;
/// Messages of a run: some seconds' work.
const MESSAGES: usize = 2000;

/// Starts a mail system. None if it is not here.
type Start = fn(&Site) -> Option<Server>;

/// The systems by name; ours first.
const SYSTEMS: [(&str, Start); 4] = [
    (ours::NAME, ours::start),
    (postfix::NAME, postfix::start),
    (opensmtpd::DURABLE, opensmtpd::start_durable),
    (opensmtpd::AS_IT_COMES, opensmtpd::start_as_it_comes),
];

/// Those that are compared unless others are named: all that make the same promise.
const COMPARED: [&str; 3] = [ours::NAME, postfix::NAME, opensmtpd::DURABLE];

/// To one maildir, a connection for each message.
pub fn local() -> Vec<Comparison> {
    compare("to a maildir, a connection for each message", false, |site| &site.mailbox)
}

/// To one maildir, a hundred messages a connection.
pub fn kept() -> Vec<Comparison> {
    compare("to a maildir, 100 messages a connection", true, |site| &site.mailbox)
}

/// To another host, a connection for each message.
pub fn relay() -> Vec<Comparison> {
    compare("to another host, a connection for each message", false, |site| &site.sink)
}

fn compare(what: &str, keeps_connections: bool, to: fn(&Site) -> &dyn Destination) -> Vec<Comparison> {
    let Some(site) = Site::new() else { return Vec::new() };
    let destination = to(&site);
    let load = Load { messages: number("MAIL_MESSAGES", MESSAGES), keeps_connections };
    let servers = servers(&site);
    if servers.is_empty() {
        return Vec::new();
    }
    // Programs are read from the disk, and processes that stay are started, before anything counts.
    for server in &servers {
        Load { messages: load.messages / 10, ..load }.run(server, destination);
    }
    let table = |figure: &str, unit, better, goal| Table {
        title: format!("mail {what}: {figure}"),
        unit,
        better,
        goal,
    };
    let tables = vec![
        table("accepted", "messages/s", Better::More, 0.8),
        table("delivered", "messages/s", Better::More, 0.8),
        table("processor time", "ms a message, all processes", Better::Less, 1.0),
        table("memory", "kB at the peak (PSS), all processes", Better::Less, 1.0),
    ];
    let trials = servers.iter().map(|server| trial(load, server, destination)).collect();
    Comparison::run_many(tables, number("MAIL_ROUNDS", ROUNDS), trials)
}

fn trial<'a>(load: Load, server: &'a Server, destination: &'a dyn Destination) -> ManyTrial<'a> {
    let run = move || {
        let Figures { accepted, delivered, processor, memory } = load.run(server, destination);
        vec![accepted, delivered, processor, memory]
    };
    ManyTrial::new(server.name, run)
}

fn servers(site: &Site) -> Vec<Server> {
    let wanted = env::var("MAIL_SYSTEMS").unwrap_or_else(|_| COMPARED.join(","));
    for want in wanted.split(',') {
        assert!(SYSTEMS.iter().any(|(name, _)| *name == want), "{want}: no such mail system");
    }
    let is_wanted = |name: &str| wanted.split(',').any(|want| want == name);
    let chosen = SYSTEMS.iter().filter(|(name, _)| is_wanted(name));
    chosen
        .filter_map(|(name, start)| {
            let server = start(site);
            if server.is_none() {
                harness::skipped(&format!("{name} cannot be measured"));
            }
            server
        })
        .collect()
}

fn number(variable: &str, otherwise: usize) -> usize {
    env::var(variable).map_or(otherwise, |text| text.parse().expect("a number"))
}
