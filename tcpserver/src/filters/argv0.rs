//! `argv0` runs a program that is told another name than its own.
//!
//! Called   `argv0 realname name [argument ...]`: the program `realname` with `name` as its argument 0.
//! Reads    nothing.      Writes  nothing.
//! Runs as  anybody.   Trusts  its caller.
//! Exits    with the status of the program · 100 called wrongly · 111 the program cannot be run.
//! Manual   argv0(1).

use unix::environment::Environment;
use unix::exec::{Program, Search};
use unix::failure::Failure;
use unix::program::{Exit, Invocation};

/// Runs the program.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let [real, words @ ..] = invocation.arguments.as_slice() else { return Err(Failure::usage(USAGE)) };
    if words.is_empty() {
        return Err(Failure::usage(USAGE));
    }
    let error = match Program::named(real, words, &Environment::inherited(), Search::Path) {
        Ok(program) => program.exec(),
        Err(error) => error,
    };
    Err(Failure::temporary([&b"unable to run "[..], real].concat()).because(&error))
}

const USAGE: &str = "argv0 realname program [ arg ... ]";
