//! `pgrphack` runs a program in a process group of its own, so that signals for the group spare its starter.
//!
//! Reads    nothing.    Writes  nothing.
//! Runs as  anybody.    Trusts  nobody.
//! Exits    with the status of the program · 100 wrong usage · 111 no such program.
//! Manual   pgrphack(8).

use super::{Chained, run};
use unix::exec::Search;
use unix::failure::Failure;
use unix::process;
use unix::program::Invocation;

/// Runs `pgrphack`.
pub fn main(invocation: &Invocation) -> Chained {
    if invocation.arguments.is_empty() {
        return Err(Failure::usage("pgrphack child"));
    }
    // This fails for the leader of a process group, which is what the program is to be anyway.
    let _ = process::leave_session();
    Err(run(&invocation.arguments, Search::Path))
}
