//! `qmail-send` manages the queue: it sorts recipients, starts deliveries, retries, and bounces.
//!
//! Reads    the queue; fds 2, 4: reports of the spawners; fd 6: answers of qmail-clean; the trigger; orders of qmail-queuectl.
//! Writes   fd 0: the log; fds 1, 3: commands to the spawners; fd 5: commands to qmail-clean; info, local,
//!          remote and bounce in the queue.
//! Runs as  qmails.   Trusts  the spawners for slot numbers, qmail-queue for the form of todo, nobody for contents.
//! Signals  TERM: finish what runs, then exit · ALRM: everything is due now · HUP: read locals and virtualdomains.
//! Exits    0 after TERM or the loss of a helper · 111 if it cannot start.
//! Manual   qmail-send(8), qmail-log(5).    Next in the flow: send::spawn.

pub mod births;
pub mod bounce;
pub mod bounce_parts;
pub mod channel;
pub mod cleaner;
pub mod cleanup;
pub mod deliveries;
pub mod delivery;
pub mod intake;
pub mod job;
pub mod log;
pub mod manager;
pub mod orders;
pub mod preprocess;
pub mod retry;
pub mod route;
pub mod schedule;
pub mod settings;
pub mod spawn;
pub mod spawner;
pub mod start;
mod syncing;

use crate::control::Control;
use crate::queue::layout;
use crate::setup::home::Home;
use channel::ByChannel;
use cleaner::Cleaner;
use log::Log;
use manager::{Connections, Manager};
use orders::Orders;
use settings::Settings;
use spawner::Spawner;
use std::fs::{File, OpenOptions};
use std::os::fd::OwnedFd;
use std::path::Path;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::signal::{self, Signal, Signals};
use unix::{descriptor, limits, lock, process};

/// The program's entry.
pub fn main(_: &Invocation) -> Result<Exit, Failure> {
    let silent = || Failure::silent(Exit::TEMPORARY);
    let [log, local_out, local_in, remote_out, remote_in, cleaner_out, cleaner_in] = take_descriptors()?;
    let mut log = Log::new(log);
    let helpers = Descriptors {
        local: (local_out, local_in),
        remote: (remote_out, remote_in),
        cleaner: Cleaner::connect(cleaner_out, cleaner_in),
    };
    let mut started = start(helpers, &mut log).map_err(|reason| {
        log.cannot_start(&reason);
        silent()
    })?;
    let signals = started.signals;
    started.manager.run(&signals, &mut log);
    log.exiting();
    Ok(Exit::SUCCESS)
}

/// Descriptors 0–6, which qmail-start has prepared.
fn take_descriptors() -> Result<[OwnedFd; 7], Failure> {
    let taken: Vec<OwnedFd> = (0..7)
        .map(descriptor::inherited)
        .collect::<Result<_, _>>()
        .map_err(|_| Failure::temporary("descriptors 0 to 6 are needed; run qmail-start"))?;
    taken.try_into().map_err(|_| Failure::silent(Exit::TEMPORARY))
}

struct Descriptors {
    local: (OwnedFd, OwnedFd),
    remote: (OwnedFd, OwnedFd),
    cleaner: Cleaner,
}

struct Started {
    manager: Manager,
    signals: Signals,
}

/// Everything that can go wrong before the first message; the text of what did.
fn start(helpers: Descriptors, log: &mut Log) -> Result<Started, String> {
    let home = Home::of_this_program().map_err(|_| "unable to switch to home directory")?;
    std::env::set_current_dir(home.path()).map_err(|_| "unable to switch to home directory")?;
    let control = Control::new(home.control());
    let settings = Settings::read(&control).map_err(|trouble| describe(&trouble))?;
    let routing = settings.read_routing(&control).map_err(|trouble| describe(&trouble))?;
    layout::use_split_of(&control).map_err(|unreadable| describe(&unreadable.into()))?;
    std::env::set_current_dir(home.queue()).map_err(|_| "unable to switch to queue directory")?;
    signal::ignore(Signal::SIGPIPE);
    signal::default(Signal::SIGCHLD);
    let signals = Signals::hold(&[Signal::SIGTERM, Signal::SIGALRM, Signal::SIGHUP])
        .map_err(|_| "unable to hold signals")?;
    process::set_umask(0o077);
    // A batch of new mail has several files a message open; with fewer descriptors it only takes longer.
    let _ = limits::raise_open_files();
    let mutex = lock_queue()?;
    check_split()?;
    let no_fire = |_| "hath the daemon spawn no fire?";
    let (local, remote) = (settings.concurrency.local, settings.concurrency.remote);
    let local = Spawner::connect(helpers.local.0, helpers.local.1, local).map_err(no_fire)?;
    let remote = Spawner::connect(helpers.remote.0, helpers.remote.1, remote).map_err(no_fire)?;
    let spawners = ByChannel { local, remote };
    let connections = Connections { spawners, cleaner: helpers.cleaner, orders: Orders::listen(log) };
    let manager = Manager::new(home, control, settings, routing, connections, mutex);
    Ok(Started { manager, signals })
}

fn describe(trouble: &settings::Trouble) -> String {
    match trouble {
        settings::Trouble::Unreadable(unreadable) => {
            format!(
                "unable to read controls: {}: {}",
                unreadable.file,
                unix::failure::describe(&unreadable.error)
            )
        }
        settings::Trouble::NoName => format!("unable to read controls: {}", settings::NO_NAME),
    }
}

/// Messages where an earlier split has put them would wait for ever, unseen.
fn check_split() -> Result<(), String> {
    match layout::misplaced(Path::new(".")) {
        Ok(None) => Ok(()),
        Ok(Some(message)) => Err(format!(
            "queue/{} is not where control/conf-split has it; put the old number back until the queue is empty",
            message.display()
        )),
        Err(error) => Err(format!("unable to look through the queue: {}", unix::failure::describe(&error))),
    }
}

/// Held for life: two managers would deliver everything twice.
fn lock_queue() -> Result<File, String> {
    let mutex =
        OpenOptions::new().write(true).open(layout::SEND_MUTEX).map_err(|_| "unable to open mutex")?;
    lock::try_exclusive(&mutex).map_err(|_| "qmail-send is already running")?;
    Ok(mutex)
}
