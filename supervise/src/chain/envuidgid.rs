//! `envuidgid` tells a program the numbers of an account, for programs that give up root by themselves.
//!
//! Reads    the user database.    Writes  nothing; sets `GID` and `UID` in the environment.
//! Runs as  anybody; nobody's rights change.    Trusts  its caller.
//! Exits    with the status of the program · 100 wrong usage · 111 no such account, no such program.
//! Manual   envuidgid(8).

use super::{Chained, find_account, run_with, word_and_program};
use unix::exec::Search;
use unix::program::Invocation;

/// Runs `envuidgid`.
pub fn main(invocation: &Invocation) -> Chained {
    let (name, program) = word_and_program(invocation, "envuidgid account child")?;
    let account = find_account(name, "account")?;
    let mut environment = invocation.environment();
    environment.set("GID", account.gid.to_string());
    environment.set("UID", account.uid.to_string());
    Err(run_with(&environment, program, Search::Path))
}
