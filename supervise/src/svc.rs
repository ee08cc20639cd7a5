//! `svc` sends commands to the supervise of one or more service directories.
//!
//! Reads    nothing.    Writes  one letter a command to the control FIFO of each directory.
//! Runs as  the administrator who owns the service.
//! Trusts   nobody: it never waits for supervise, and writes to nothing but a FIFO.
//! Exits    0, also if a directory could not be reached (it warns) · 100 wrong usage, no such signal · 111 no way back to the
//!          directory it was started in.
//! Manual   svc(8).    Next: [`crate::supervise`].

use crate::supervise::command::{LETTERS, signal_byte};
use crate::supervise::service_dir::Layout;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use unix::directory::{self, WorkingDirectory};
use unix::failure::{Failure, because};
use unix::fifo;
use unix::program::{Exit, Invocation};
use unix::signal::{self, Signal};

const USAGE: &str = "svc [ --signal name | -udorspchaitkx ] dir ...";

/// Runs `svc`.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let (commands, names) = read_commands(invocation)?;
    signal::ignore(Signal::SIGPIPE);
    let start = WorkingDirectory::current()
        .map_err(|error| Failure::temporary("unable to open current directory").because(&error))?;
    for name in names {
        if let Err(trouble) = send(name, &commands) {
            invocation.warn(trouble);
        }
        start.enter().map_err(|error| Failure::temporary("unable to set directory").because(&error))?;
    }
    Ok(Exit::SUCCESS)
}

/// The commands and the directories. `--signal NAME` in place of letters sends any signal.
fn read_commands(invocation: &Invocation) -> Result<(Vec<u8>, &[Vec<u8>]), Failure> {
    if let [first, name, directories @ ..] = invocation.arguments.as_slice()
        && first == b"--signal"
    {
        let byte = signal_byte(name)
            .ok_or_else(|| Failure::permanent([b"unknown signal ", name.as_slice()].concat()))?;
        return Ok((vec![byte], directories));
    }
    let mut commands = Vec::new();
    let mut options = invocation.options(LETTERS);
    while let Some(option) = options.next_option().map_err(|error| error.with_usage(USAGE))? {
        if !commands.contains(&option.letter) {
            commands.push(option.letter);
        }
    }
    Ok((commands, options.operands()))
}

/// Sends the commands as one write, which a FIFO takes as a whole or not at all.
fn send(name: &[u8], commands: &[u8]) -> Result<(), Vec<u8>> {
    directory::enter(Path::new(OsStr::from_bytes(name)))
        .map_err(|error| because([b"unable to chdir to ", name].concat(), &error))?;
    let layout = Layout::of_working_directory();
    let mut control =
        fifo::open_writer(layout.control()).map_err(|error| unable_to_control(name, layout, &error))?;
    control
        .write_all(commands)
        .map_err(|error| because([b"error writing commands to ", name].concat(), &error))
}

fn unable_to_control(name: &[u8], layout: Layout, error: &io::Error) -> Vec<u8> {
    let reason = match layout {
        Layout::Nested if fifo::has_no_reader(error) => "supervise not running",
        Layout::Flat | Layout::Nested => fifo::describe(error),
    };
    [b"unable to control ", name, b": ", reason.as_bytes()].concat()
}
