//! `except` turns a program's answer round: the message goes on if the program says no.
//!
//! Reads    nothing; the program reads fd 0.
//! Runs as  the owner of the `.qmail` file.       Trusts  its arguments.
//! Exits    0 the program says no · 100 it says yes, or called wrongly · 111 it cannot say now.
//! Manual   except(1).

use super::filter::{self, Answer};
use unix::failure::Failure;
use unix::program::{Exit, Invocation};

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    if invocation.arguments.is_empty() {
        return Err(Failure::usage("except program [ arg ... ]"));
    }
    match filter::ask(&invocation.arguments)? {
        Answer::Yes => Ok(Exit::PERMANENT),
        Answer::No => Ok(Exit::SUCCESS),
    }
}
