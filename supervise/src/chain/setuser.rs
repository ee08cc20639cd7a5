//! `setuser` runs a program as another user.
//!
//! Reads    the user database.    Writes  nothing.
//! Runs as  root.    Trusts  its caller; the program gets the user, the user's group and no other group.
//! Exits    with the status of the program · 100 wrong usage · 111 no such user, not root, no such program.
//! Manual   setuser(1).

use super::run;
use unix::account;
use unix::exec::Search;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};

const USAGE: &str = "setuser username program [ arg ... ]";

/// Runs `setuser`. The environment and the working directory stay as they are.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let [name, words @ ..] = invocation.arguments.as_slice() else { return Err(Failure::usage(USAGE)) };
    if words.is_empty() {
        return Err(Failure::usage(USAGE));
    }
    let user = account::find_user(name)
        .map_err(|error| {
            Failure::temporary([b"unable to look up ", name.as_slice()].concat()).because(&error)
        })?
        .ok_or_else(|| Failure::temporary([b"unknown username ", name.as_slice()].concat()))?;
    account::set_groups(user.gid, &[user.gid])
        .map_err(|error| Failure::temporary("unable to setgid").because(&error))?;
    account::set_user(user.uid).map_err(|error| Failure::temporary("unable to setuid").because(&error))?;
    Err(run(words, Search::PathOrShell))
}
