//! `qmail-local` delivers one message to one local recipient, as his `.qmail` file says.
//!
//! Reads    fd 0: the message, a file, from its beginning for each delivery; `.qmail…` in the home directory.
//! Writes   mailboxes · fd 1 and 2: what goes into the delivery report.
//! Runs as  the user who controls the address, never root.
//! Trusts   that user's files unless others may write them; nothing in the message or its envelope.
//! Exits    0 · 100 no such mailbox, a loop, or a program or the queue refuses · 111 try again.
//! Manual   qmail-local(8), dot-qmail(5).    Next in the flow: a mailbox, or queue::client for forwards.
//!
//! What happens is decided in [`plan`], [`dot_qmail`] and [`instruction`], which deliver nothing: whoever
//! wants to know whether an address exists asks them. The rest does it.

mod agent;
pub mod delivery;
pub mod dot_qmail;
mod environment;
pub mod forward;
mod header_lines;
pub mod instruction;
mod loops;
mod message;
pub mod new_sender;
pub mod plan;
pub mod program;
pub mod refusal;

use agent::Agent;
use delivery::{Delivery, Mode};
use header_lines::HeaderLines;
use message::Message;
use plan::HomeDirectory;
use refusal::Refusal;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::signal::{self, Signal};
use unix::stamp::Stamp;
use unix::{account, descriptor, process};

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let (mode, delivery) = delivery::parse(invocation)?;
    if account::real_uid() == 0 || account::effective_uid() == 0 {
        return Err(Refusal::Root.into());
    }
    process::set_umask(0o077);
    // A reader that goes away and a file that grows too large are errors to be dealt with, not our end.
    signal::ignore(Signal::SIGPIPE);
    signal::ignore(Signal::SIGXFSZ);
    deliver(mode, &delivery)?;
    Ok(Exit::SUCCESS)
}

fn deliver(mode: Mode, delivery: &Delivery) -> Result<(), Refusal> {
    let home = Path::new(OsStr::from_bytes(&delivery.home));
    std::env::set_current_dir(home)
        .map_err(|error| Refusal::NoHome { home: delivery.home.clone(), error })?;
    let here = Path::new(".");
    match (plan::check_home(here)?, mode) {
        (HomeDirectory::Ready, _) => {}
        (HomeDirectory::BeingEdited, Mode::Deliver) => return Err(Refusal::HomeSticky),
        (HomeDirectory::BeingEdited, Mode::Print) => {
            descriptor::write_error_line(&[b"Warning: home directory is sticky."]);
        }
    }
    let lines = HeaderLines::new(delivery, Stamp::now().seconds);
    let mut message = Message::standard_input()?;
    if mode == Mode::Deliver {
        loops::check(message.rewound()?, &delivery.recipient())?;
    }
    let plan = plan::make(here, &delivery.dash, &delivery.ext, &delivery.default_delivery)?;
    let new_sender = new_sender::find(here, delivery)?;
    let environment = environment::for_programs(delivery, &lines, &new_sender, plan.default.as_deref());
    let mut agent = Agent::new(mode, lines, message, environment);
    agent.carry_out(&plan)?;
    agent.forward(&new_sender)
}
