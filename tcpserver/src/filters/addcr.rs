//! `addcr` puts a CR before each LF, as the protocols of the Internet want it.
//!
//! Reads    fd 0.      Writes  fd 1: the same bytes but for CRs.
//! Runs as  anybody.   Trusts  nobody.
//! Exits    0 at the end of the input · 111 it cannot be read, or the output cannot be written.
//! Manual   addcr(1).

use super::flow;
use super::line_ends::AddCr;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};

/// Runs the program.
pub fn main(_: &Invocation) -> Result<Exit, Failure> {
    flow::filter(&mut AddCr)
}
