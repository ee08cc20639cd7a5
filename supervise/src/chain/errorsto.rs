//! `errorsto` runs a program with its standard error appended to a file.
//!
//! Reads    nothing.    Writes  nothing of its own, not even complaints: fd 2 is the program's.
//! Runs as  anybody.    Trusts  nobody.
//! Exits    with the status of the program · 100 wrong usage · 111 the file or the program cannot be used.
//! Manual   errorsto(1).

use super::run;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use unix::exec::Search;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::{descriptor, file};

/// Runs `errorsto`.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let [name, words @ ..] = invocation.arguments.as_slice() else {
        return Err(Failure::silent(Exit::PERMANENT));
    };
    if words.is_empty() {
        return Err(Failure::silent(Exit::PERMANENT));
    }
    redirect(name).map_err(|_| Failure::silent(Exit::TEMPORARY))?;
    Err(Failure::silent(run(words, Search::PathOrShell).exit()))
}

/// The program must be able to wait when it writes, unlike us when we open.
fn redirect(name: &[u8]) -> io::Result<()> {
    let file = file::open_append(Path::new(OsStr::from_bytes(name)))?;
    descriptor::set_nonblocking(&file, false)?;
    descriptor::place(&file, 2)
}
