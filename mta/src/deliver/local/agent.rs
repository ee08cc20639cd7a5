//! Carrying out the instructions for one address.

use super::delivery::Mode;
use super::header_lines::HeaderLines;
use super::instruction::Instruction;
use super::message::Message;
use super::plan::Plan;
use super::refusal::Refusal;
use super::{forward, program};
use crate::deliver::mailbox::{maildir, mbox};
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use unix::descriptor;
use unix::environment::Environment;

/// One delivery as it goes on.
pub struct Agent {
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

/// Whether the instructions after this one are to be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// They are.
    GoOn,
    /// A program has decided that they are not.
    Stop,
}

impl Agent {
    /// A delivery that has done nothing yet.
    pub fn new(mode: Mode, lines: HeaderLines, message: Message, environment: Environment) -> Agent {
        Agent { mode, lines, message, environment, counts: Counts::default(), forwards: Vec::new() }
    }

    /// Files and programs in the order of their lines; the first that fails ends the delivery.
    pub fn carry_out(&mut self, plan: &Plan) -> Result<(), Refusal> {
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
    pub fn forward(&mut self, new_sender: &[u8]) -> Result<(), Refusal> {
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
