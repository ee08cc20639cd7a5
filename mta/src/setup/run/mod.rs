//! `qmail-setup run DIR`: a complete instance that one user can try out, and a first message through it.
//!
//! Installs into DIR, starts the services supervised, sends a message by SMTP, shows it in the maildir, and
//! stays until it is interrupted. Nothing outside DIR is touched. It needs no root; started by root it
//! becomes the owner of DIR, or nobody.

mod first_message;
mod instance;
mod pop3;
mod services;

use super::say;
use instance::Instance;
use services::RunningServices;
use std::os::fd::AsFd;
use std::path::Path;
use unix::failure::Failure;
use unix::poll::{self, Interest};
use unix::process;
use unix::program::Exit;
use unix::signal::{Signal, Signals};

/// The port of a try-out: no root needed.
pub const DEFAULT_PORT: u16 = 2525;

/// How long the instance runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// Until Ctrl-C or TERM.
    UntilInterrupted,
    /// Until the first message has arrived.
    Once,
}

/// Sets the instance up and runs it.
pub fn run(directory: &Path, port: u16, stay: Stay) -> Result<Exit, Failure> {
    let instance = Instance::prepare(directory, port)?;
    let unable = |error: std::io::Error| Failure::temporary("unable to watch processes").because(&error);
    let signals = Signals::hold(&[Signal::SIGINT, Signal::SIGTERM, Signal::SIGCHLD]).map_err(unable)?;
    process::adopt_orphans().map_err(unable)?;
    let mut services = RunningServices::start(&instance)?;
    let shown = show(&instance, &mut services);
    if stay == Stay::UntilInterrupted && shown.is_ok() {
        say("\nRunning until Ctrl-C.");
        watch(&signals, &mut services)?;
    }
    services.stop();
    shown?;
    say("Stopped.");
    Ok(Exit::SUCCESS)
}

/// Sends the first message and says what runs where.
fn show(instance: &Instance, services: &mut RunningServices) -> Result<(), Failure> {
    services.wait_for_servers()?;
    let arrived = first_message::send_and_receive(instance)?;
    let home = instance.home.path().display();
    say("\nServices (svstat), and where their logs are:");
    for line in services.status_lines() {
        say(format!("  {line}"));
    }
    let (address, hosts, port, pop3) = (&instance.mailbox, &instance.host, instance.port, &instance.pop3);
    say(format!("\nSMTP listens on {hosts}, port {port}. Try next, in another terminal:"));
    say(format!("  swaks --server 127.0.0.1:{port} --to {address}"));
    say(format!("  PATH=\"{home}/bin:$PATH\""));
    say(format!("  svstat {home}/service/qmail {home}/service/smtpd"));
    say(format!("  svc -h {home}/service/qmail        # reread locals and virtualdomains"));
    say(format!("  tailocal < \"$(ls {home}/log/qmail/@* | tail -n 1)\""));
    say(format!(
        "\nPOP3 listens there too, port {}: user {}, password {}",
        pop3.port, pop3.user, pop3.password
    ));
    say(format!("\nThe message to {address} arrived in {}:\n", arrived.path.display()));
    for line in arrived.text.lines() {
        say(format!("  {line}"));
    }
    Ok(())
}

fn watch(signals: &Signals, services: &mut RunningServices) -> Result<(), Failure> {
    while !signals.take(Signal::SIGINT) && !signals.take(Signal::SIGTERM) {
        services.restart_dead()?;
        let _ = poll::wait_one(signals.as_fd(), Interest::Read, Some(services.next_look()));
        // A death only wakes.
        let _ = signals.take(Signal::SIGCHLD);
    }
    say("");
    Ok(())
}
