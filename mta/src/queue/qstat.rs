//! `qmail-qstat` counts the messages in the queue.
//!
//! Reads    control/conf-split, the directories mess and todo.   Writes  fd 1: two lines.
//! Runs as  root, or an account of group qmail: nobody else may look into the queue.
//! Exits    0 · 111 if something cannot be counted.
//! Manual   qmail-qstat(8).

use super::layout::{self, Kind};
use crate::control::Control;
use crate::setup::home::Home;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use unix::descriptor;
use unix::failure::{self, Failure};
use unix::program::{Exit, Invocation};

/// The program's entry.
pub fn main(_: &Invocation) -> Result<Exit, Failure> {
    let home = Home::of_this_program()?;
    layout::use_split_of(&Control::new(home.control()))?;
    let queue = home.queue();
    let messages = count(&queue, Kind::Mess)?;
    let waiting = count(&queue, Kind::Todo)?;
    let text =
        format!("messages in queue: {messages}\nmessages in queue but not yet preprocessed: {waiting}\n");
    descriptor::output()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::temporary("unable to write").because(&error))?;
    Ok(Exit::SUCCESS)
}

/// The regular files in the directories of a kind. What cannot be counted is an error, not nothing.
fn count(queue: &Path, kind: Kind) -> Result<u64, Failure> {
    let mut count: u64 = 0;
    for directory in kind.directories() {
        let unable = |error: io::Error| {
            Failure::temporary(format!("unable to read {}", directory.display())).because(&error)
        };
        for entry in fs::read_dir(queue.join(&directory)).map_err(unable)? {
            match entry.and_then(|entry| entry.file_type()) {
                Ok(found) => count = count.saturating_add(u64::from(found.is_file())),
                // Finished while we looked.
                Err(error) if failure::is_absent(&error) => {}
                Err(error) => return Err(unable(error)),
            }
        }
    }
    Ok(count)
}
