//! Programs that `.forward` files and forwarding tables name: they are given the message.

use crate::deliver::local::program;
use std::fs::File;
use std::io::{self, Seek};
use std::os::fd::AsFd;
use unix::descriptor;
use unix::environment::Environment;
use unix::exec::Search;
use unix::failure::Failure;
use unix::feed::{self, Trouble};
use unix::process::Ended;
use unix::program::Exit;

/// Runs a program with `beginning` and the message on standard input, and rewinds that for the next one.
///
/// # Errors
/// As its exit status says, and then in silence, for the program has said what there is to say; temporary if it was
/// killed or cannot be run. `shown` is what it is called then.
pub fn run(name: &'static str, words: &[Vec<u8>], shown: &[u8], beginning: &[u8]) -> Result<(), Failure> {
    let program = feed::Program {
        words,
        environment: &Environment::inherited(),
        search: Search::PathOrShell,
        not_run: &|error| {
            let failure = Failure::temporary([b"unable to run ", shown].concat()).because(&error);
            failure.report(name);
            failure.exit().0
        },
    };
    let ended = feed::feed(&program, beginning, &mut descriptor::input());
    let ended = ended.map_err(|trouble| match trouble {
        Trouble::Pipe(error) => Failure::temporary("unable to create pipe").because(&error),
        Trouble::Fork(error) => Failure::temporary("unable to fork").because(&error),
        Trouble::Input(error) => Failure::temporary("unable to read message").because(&error),
        Trouble::Wait(error) => Failure::temporary("wait failed").because(&error),
    })?;
    match ended {
        Ended::Exited(0) => {
            rewind().map_err(|error| Failure::temporary("unable to rewind input").because(&error))
        }
        Ended::Exited(code) if program::is_permanent(code) => Err(Failure::silent(Exit::PERMANENT)),
        Ended::Exited(_) => Err(Failure::silent(Exit::TEMPORARY)),
        Ended::Killed { .. } => Err(Failure::temporary([b"child crashed in ", shown].concat())),
    }
}

fn rewind() -> io::Result<()> {
    File::from(descriptor::input().as_fd().try_clone_to_owned()?).rewind()
}
