//! `delcr` takes the CR away that stands before an LF.
//!
//! Reads    fd 0.      Writes  fd 1: the same bytes but for CRs.
//! Runs as  anybody.   Trusts  nobody.
//! Exits    0 at the end of the input · 111 it cannot be read, or the output cannot be written.
//! Manual   delcr(1).

use super::flow;
use super::line_ends::DelCr;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};

/// Runs the program.
pub fn main(_: &Invocation) -> Result<Exit, Failure> {
    flow::filter(&mut DelCr::default())
}
