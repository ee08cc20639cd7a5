//! `setuidgid` runs a program as another user: `setuser` as daemontools 0.76 calls it.
//!
//! Reads    the user database.    Writes  nothing.
//! Runs as  root.    Trusts  its caller; the program gets the user, the user's group and no other group.
//! Exits    with the status of the program · 100 wrong usage · 111 no such user, not root, no such program.
//! Manual   setuidgid(8).

use super::{Chained, assume, find_account, run, word_and_program};
use unix::exec::Search;
use unix::program::Invocation;

/// Runs `setuidgid`. The environment and the working directory stay as they are.
pub fn main(invocation: &Invocation) -> Chained {
    let (name, program) = word_and_program(invocation, "setuidgid account child")?;
    assume(&find_account(name, "account")?)?;
    Err(run(program, Search::Path))
}
