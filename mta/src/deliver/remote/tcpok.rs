//! `qmail-tcpok` forgets which hosts timed out, so that qmail-remote tries them all.
//!
//! Reads    nothing.   Writes  queue/lock/tcpto.
//! Runs as  root, or qmailr with group qmail.
//! Exits    0 · 111 the table could not be cleared.
//! Manual   qmail-tcpok(8).    The table is that of deliver::remote.

use super::timeout_table::{TableTrouble, TimeoutTable};
use crate::queue::layout;
use crate::setup::home::Home;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};

/// The program's entry.
pub fn main(_: &Invocation) -> Result<Exit, Failure> {
    let path = Home::of_this_program()?.queue().join(layout::TCPTO);
    let table = TimeoutTable::at(path.clone());
    table.clear().map_err(|TableTrouble { what, error }| {
        let object = match what {
            "chdir" => format!("to {}", table.directory().display()),
            _ => path.display().to_string(),
        };
        Failure::temporary(format!("unable to {what} {object}")).because(&error)
    })?;
    Ok(Exit::SUCCESS)
}
