//! Not written yet.

use unix::failure::Failure;
use unix::program::{Exit, Invocation};

/// The program's entry.
pub fn main(_: &Invocation) -> Result<Exit, Failure> {
    Err(Failure::temporary("not written yet"))
}
