//! Programs that make one change to their own process and then become another program.

use unix::environment::Environment;
use unix::exec::{Search, exec};
use unix::failure::Failure;

pub mod errorsto;
pub mod setuser;

/// Becomes the program, with the environment as it is. Returns only if that failed, with what to say.
fn run(words: &[Vec<u8>], search: Search) -> Failure {
    let error = exec(words, &Environment::inherited(), search);
    let name = words.first().map_or(b"".as_slice(), Vec::as_slice);
    Failure::temporary([b"unable to run ", name].concat()).because(&error)
}
