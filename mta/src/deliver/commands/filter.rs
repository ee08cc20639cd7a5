//! Asking a program about the message: its exit status is the answer.

use unix::environment::Environment;
use unix::exec::{self, Search};
use unix::failure::{self, Failure};
use unix::process::{self, Ended};
use unix::program::Exit;

/// What a program says about the message on its standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It exits 0.
    Yes,
    /// It exits with another status, or there is no such program.
    No,
}

/// Runs a program, found along PATH, and takes its answer.
///
/// # Errors
/// Temporary, if it cannot say for the moment (status 111), if a signal ended it, or if it cannot be run now.
pub fn ask(command: &[Vec<u8>]) -> Result<Answer, Failure> {
    let unable = |error| Failure::temporary("unable to fork").because(&error);
    let child = process::fork(|| become_program(command)).map_err(unable)?;
    match process::wait_for(child) {
        Ok(Ended::Exited(0)) => Ok(Answer::Yes),
        Ok(Ended::Exited(111)) => Err(Failure::temporary("temporary child error")),
        Ok(Ended::Exited(_)) => Ok(Answer::No),
        Ok(Ended::Killed { .. }) => Err(Failure::temporary("child crashed")),
        Err(error) => Err(Failure::temporary("wait failed").because(&error)),
    }
}

fn become_program(command: &[Vec<u8>]) -> u8 {
    let error = exec::exec(command, &Environment::inherited(), Search::PathOrShell);
    if failure::is_temporary(&error) { Exit::TEMPORARY.0 } else { Exit::PERMANENT.0 }
}
