//! Programs that make one change to their own process and then become another program.

use unix::account::{self, Account};
use unix::environment::Environment;
use unix::exec::{Search, exec};
use unix::failure::Failure;
use unix::program::{Exit, Invocation};

pub mod envdir;
pub mod envuidgid;
pub mod errorsto;
pub mod fghack;
pub mod pgrphack;
pub mod setlock;
pub mod setuidgid;
pub mod setuser;
pub mod softlimit;

/// Becomes the program, with the environment as it is. Returns only if that failed, with what to say.
fn run(words: &[Vec<u8>], search: Search) -> Failure {
    run_with(&Environment::inherited(), words, search)
}

/// Becomes the program, with this environment.
fn run_with(environment: &Environment, words: &[Vec<u8>], search: Search) -> Failure {
    unable_to_run(words, &exec(words, environment, search))
}

fn unable_to_run(words: &[Vec<u8>], error: &std::io::Error) -> Failure {
    let name = words.first().map_or(b"".as_slice(), Vec::as_slice);
    Failure::temporary([b"unable to run ", name].concat()).because(error)
}

/// The first argument, and the program with its arguments; wrong usage if either is missing.
fn word_and_program<'a>(
    invocation: &'a Invocation,
    usage: &'static str,
) -> Result<(&'a [u8], &'a [Vec<u8>]), Failure> {
    match invocation.arguments.as_slice() {
        [word, program @ ..] if !program.is_empty() => Ok((word, program)),
        _ => Err(Failure::usage(usage)),
    }
}

/// The account of this name; `what` is what the program calls an account.
fn find_account(name: &[u8], what: &str) -> Result<Account, Failure> {
    account::find_user(name)
        .map_err(|error| Failure::temporary([b"unable to look up ", name].concat()).because(&error))?
        .ok_or_else(|| Failure::temporary([b"unknown ", what.as_bytes(), b" ", name].concat()))
}

/// Takes on the user and the user's group, and gives up every other group.
fn assume(user: &Account) -> Result<(), Failure> {
    account::set_groups(user.gid, &[user.gid])
        .map_err(|error| Failure::temporary("unable to setgid").because(&error))?;
    account::set_user(user.uid).map_err(|error| Failure::temporary("unable to setuid").because(&error))
}

/// What a program that becomes another one returns, since it does so only in failure.
type Chained = Result<Exit, Failure>;
