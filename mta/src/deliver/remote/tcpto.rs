//! `qmail-tcpto` shows the hosts that timed out lately.
//!
//! Reads    queue/lock/tcpto.   Writes  fd 1: a line for each host, and what went wrong.
//! Runs as  root, or an account of group qmail: nobody else may look into the queue.
//! Exits    0 · 111 the table cannot be read.
//! Manual   qmail-tcpto(8).    The table is that of deliver::remote.

use super::timeout_table::{Record, TableTrouble, TimeoutTable};
use crate::queue::layout;
use crate::setup::home::Home;
use std::io::Write;
use unix::failure::{self, Failure};
use unix::program::{Exit, Invocation};
use unix::{descriptor, stamp::Stamp};

/// The program's entry.
pub fn main(_: &Invocation) -> Result<Exit, Failure> {
    let table = TimeoutTable::at(Home::of_this_program()?.queue().join(layout::TCPTO));
    let (text, exit) = match table.records() {
        Ok(records) => (lines(&records, Stamp::now().seconds), Exit::SUCCESS),
        Err(TableTrouble { what, error }) => {
            let object = if what == "chdir" { "" } else { " tcpto" };
            (format!("fatal: unable to {what}{object}: {}\n", failure::describe(&error)), Exit::TEMPORARY)
        }
    };
    descriptor::output()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::temporary("unable to write").because(&error))?;
    Ok(exit)
}

fn lines(records: &[Record], now: u64) -> String {
    let line = |Record { address, count, time }: &Record| {
        // A clock that was put back since makes it 0.
        let age = now.saturating_sub(u64::from(*time));
        format!("{address} timed out {age} seconds ago; # recent timeouts: {count}\n")
    };
    records.iter().map(line).collect()
}
