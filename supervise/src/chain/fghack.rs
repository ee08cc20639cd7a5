//! `fghack` keeps a program in the foreground that puts itself into the background.
//!
//! Reads    a pipe that the program inherits and knows nothing of.    Writes  nothing.
//! Runs as  anybody.    Trusts  the program not to close descriptors that it did not open: one that does is lost
//!          sight of.
//! Exits    with the status of the program, once everything that it left behind has ended · 100 wrong usage ·
//!          111 the program cannot be run, or was killed.
//! Manual   fghack(8).

use super::{Chained, run};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use unix::descriptor;
use unix::exec::Search;
use unix::failure::Failure;
use unix::process::{self, Ended};
use unix::program::{Exit, Invocation};

/// A program in the background closes the descriptors that it may have inherited, but seldom all of them.
const COPIES: usize = 30;

/// Runs `fghack`.
pub fn main(invocation: &Invocation) -> Chained {
    if invocation.arguments.is_empty() {
        return Err(Failure::usage("fghack child"));
    }
    let (reader, writer) =
        descriptor::pipe().map_err(|error| Failure::temporary("unable to create pipe").because(&error))?;
    let child = process::fork(|| run_holding(invocation, &writer))
        .map_err(|error| Failure::temporary("unable to fork").because(&error))?;
    drop(writer);
    wait_for_end(File::from(reader));
    match process::wait_for(child) {
        Ok(Ended::Exited(status)) => Ok(Exit(status)),
        Ok(Ended::Killed { .. }) => Err(Failure::temporary("child crashed")),
        Err(error) => Err(Failure::temporary("wait failed").because(&error)),
    }
}

/// The child: becomes the program, which holds the pipe open, and so do its children.
fn run_holding(invocation: &Invocation, writer: &OwnedFd) -> u8 {
    let failure = match inherited_copies(writer) {
        Ok(_held) => run(&invocation.arguments, Search::Path),
        Err(error) => Failure::temporary("unable to create pipe").because(&error),
    };
    failure.report(invocation.name);
    failure.exit().0
}

fn inherited_copies(writer: &OwnedFd) -> io::Result<Vec<OwnedFd>> {
    descriptor::set_inheritable(writer, true)?;
    let copy = |_| {
        let copy = writer.try_clone()?;
        descriptor::set_inheritable(&copy, true)?;
        Ok(copy)
    };
    (0..COPIES).map(copy).collect()
}

/// Reads until nobody holds the other end. What comes is of no interest.
fn wait_for_end(mut reader: File) {
    let mut buffer = [0; 1024];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return,
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return,
            Ok(_) | Err(_) => {}
        }
    }
}
