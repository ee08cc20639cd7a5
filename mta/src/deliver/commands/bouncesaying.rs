//! `bouncesaying` bounces the message with a text, if a program says so or if there is none.
//!
//! Reads    nothing; the program reads fd 0.      Writes  fd 2: the text.
//! Runs as  the owner of the `.qmail` file.       Trusts  its arguments.
//! Exits    0 the program says no · 100 bounce, or called wrongly · 111 the program cannot say now.
//! Manual   bouncesaying(1).

use super::filter::{self, Answer};
use unix::failure::Failure;
use unix::program::{Exit, Invocation};

const USAGE: &str = "bouncesaying error [ program [ arg ... ] ]";

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let (text, program) = invocation.arguments.split_first().ok_or(Failure::usage(USAGE))?;
    if !program.is_empty() && filter::ask(program)? == Answer::No {
        return Ok(Exit::SUCCESS);
    }
    Err(Failure::verbatim(Exit::PERMANENT, text))
}
