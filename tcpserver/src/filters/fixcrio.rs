//! `fixcrio` runs a program and puts a CR before each LF of its input and output that has none.
//!
//! Called   `fixcrio program [argument ...]`.
//! Reads    fd 0, for the program.      Writes  fd 1, from the program.
//! Runs as  anybody.   Trusts  nobody.
//! Exits    with the status of the program · 100 called wrongly · 111 the program cannot be run.
//! Manual   fixcrio(1).

use super::between;
use super::line_ends::FixCr;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};

/// Runs the program.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    between::run(invocation, "fixcrio program [ arg ... ]", |_| (FixCr::default(), FixCr::default()))
}
