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
mod program;
pub mod refusal;

use super::mailbox::{maildir, mbox};
use delivery::{Delivery, Mode};
use header_lines::HeaderLines;
use instruction::Instruction;
use message::Message;
use plan::{HomeDirectory, Plan};
use refusal::Refusal;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use unix::environment::Environment;
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
    let mut agent =
        Agent { mode, lines, message, environment, counts: Counts::default(), forwards: Vec::new() };
    agent.carry_out(&plan)?;
    agent.forward(&new_sender)
}

/// One delivery as it goes on.
struct Agent {
    mode: Mode,
    lines: HeaderLines,
    message: Message,
    environment: Environment,
    counts: Counts,
    forwards: Vec<Vec<u8>>,
}

/// How many instructions of each sort were carried out.
#[derive(Default)]
struct Counts {
    files: u64,
    forwards: u64,
    programs: u64,
}

/// Whether a program wants the instructions after its own to be carried out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    Stop,
}

impl Agent {
    /// Files and programs in the order of their lines; the first that fails ends the delivery.
    fn carry_out(&mut self, plan: &Plan) -> Result<(), Refusal> {
        for instruction in plan.instructions() {
            let next = match self.mode {
                Mode::Deliver => self.obey(&instruction?)?,
                Mode::Print => self.print(&instruction?)?,
            };
            if next == Next::Stop {
                break;
            }
        }
        Ok(())
    }

    fn obey(&mut self, instruction: &Instruction) -> Result<Next, Refusal> {
        self.counts.add(instruction);
        match instruction {
            Instruction::Maildir(name) => {
                let path = Path::new(OsStr::from_bytes(name));
                maildir::deliver(path, &self.lines.for_maildir(), self.message.rewound()?)
                    .map_err(Refusal::Maildir)?;
            }
            Instruction::Mbox(name) => {
                let path = Path::new(OsStr::from_bytes(name));
                mbox::deliver(path, &self.lines.for_mbox(), self.message.rewound()?)
                    .map_err(|trouble| Refusal::Mbox { name: name.clone(), trouble })?;
            }
            Instruction::Program(command) => {
                self.message.rewound()?;
                return program::run(command, &self.environment);
            }
            Instruction::Forward(address) => self.forwards.push(address.clone()),
        }
        Ok(Next::GoOn)
    }

    fn print(&mut self, instruction: &Instruction) -> Result<Next, Refusal> {
        self.counts.add(instruction);
        let (what, whom): (&[u8], _) = match instruction {
            Instruction::Maildir(name) => (b"maildir ", name),
            Instruction::Mbox(name) => (b"mbox ", name),
            Instruction::Program(command) => (b"program ", command),
            Instruction::Forward(address) => (b"forward ", address),
        };
        write_line(&[what, whom]).map_err(Refusal::Print)?;
        Ok(Next::GoOn)
    }

    /// All forwards as one message, when everything else has worked; then what was done.
    fn forward(&mut self, new_sender: &[u8]) -> Result<(), Refusal> {
        let queued = if self.forwards.is_empty() {
            None
        } else {
            let message = self.message.rewound()?;
            let delivered_to = &self.lines.delivered_to;
            let queued = forward::queue(message, delivered_to, new_sender, &self.forwards);
            Some(queued.map_err(Refusal::Forward)?)
        };
        let Counts { files, forwards, programs } = self.counts;
        // The message is delivered by now; that nobody reads the report is no reason to do it again.
        let _ = write_line(&[format!("did {files}+{forwards}+{programs}").as_bytes()]);
        if let Some(pid) = queued {
            let _ = write_line(&[format!("qp {pid}").as_bytes()]);
        }
        Ok(())
    }
}

impl Counts {
    fn add(&mut self, instruction: &Instruction) {
        let count = match instruction {
            Instruction::Maildir(_) | Instruction::Mbox(_) => &mut self.files,
            Instruction::Program(_) => &mut self.programs,
            Instruction::Forward(_) => &mut self.forwards,
        };
        *count = count.saturating_add(1);
    }
}

fn write_line(parts: &[&[u8]]) -> io::Result<()> {
    let mut line = parts.concat();
    line.push(b'\n');
    descriptor::output().write_all(&line)
}
