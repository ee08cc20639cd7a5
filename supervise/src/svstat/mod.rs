//! `svstat` shows what the services of one or more directories do.
//!
//! Reads    the status file of each directory.    Writes  fd 1: one line for each.
//! Runs as  anybody who may read the status files.    Trusts  supervise for what they say.
//! Exits    0, also if a directory has no status · 111 no way back to the directory it was started in, or fd 1
//!          cannot be written.
//! Manual   svstat(8).
//!
//! The kind of directory decides the kind of line: `869197736 up pid 70` as in daemontools 0.53, which
//! `tailocal` reads, or `service: up (pid 70) 12 seconds` as in 0.76. For machines there are `--json`, an object
//! a line, and `--metrics`, the text format of Prometheus; each must be the first argument.

mod line;
pub mod look;
mod machine;

use crate::supervise::service_dir::Layout;
use look::{Seen, Trouble, look_at};
use std::io::Write;
use unix::descriptor;
use unix::directory::WorkingDirectory;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::stamp::Stamp;

/// Runs `svstat`.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let start = WorkingDirectory::current()
        .map_err(|error| Failure::temporary("unable to open current directory").because(&error))?;
    let (form, names) = match invocation.arguments.split_first() {
        Some((first, rest)) if first == b"--json" => (Form::Json, rest),
        Some((first, rest)) if first == b"--metrics" => (Form::Metrics, rest),
        _ => (Form::Lines, invocation.arguments.as_slice()),
    };
    let mut looks = Vec::new();
    for name in names {
        let seen = look_at(name);
        start.enter().map_err(|error| Failure::temporary("unable to set directory").because(&error))?;
        match form {
            Form::Lines => write(line(invocation, name, seen).unwrap_or_default())?,
            Form::Json => write(machine::json(name, &seen, Stamp::now()))?,
            Form::Metrics => looks.push((name.as_slice(), seen)),
        }
    }
    if form == Form::Metrics {
        write(machine::metrics(&looks))?;
    }
    Ok(Exit::SUCCESS)
}

/// What the output is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Lines,
    Json,
    Metrics,
}

fn write(text: impl AsRef<[u8]>) -> Result<(), Failure> {
    descriptor::output()
        .write_all(text.as_ref())
        .map_err(|error| Failure::temporary("unable to write output").because(&error))
}

/// The line for a directory, or a warning and none.
fn line(invocation: &Invocation, name: &[u8], seen: Result<Seen, Trouble>) -> Option<Vec<u8>> {
    let text = match seen {
        Ok(Seen { layout: Layout::Flat, is_supervised, normally_up, status, details }) => {
            if !is_supervised {
                invocation.warn([b"supervise not running in ", name].concat());
            }
            return Some((line::line_0_53(&status, normally_up, details.as_ref()) + "\n").into_bytes());
        }
        Ok(Seen { normally_up, status, details, .. }) => {
            line::line_0_76(&status, normally_up, details.as_ref(), Stamp::now())
        }
        Err(Trouble::Line(text)) => text,
        Err(Trouble::Warning(text)) => {
            invocation.warn(text);
            return None;
        }
    };
    Some([name, b": ", text.as_bytes(), b"\n"].concat())
}
