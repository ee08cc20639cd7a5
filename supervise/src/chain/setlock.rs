//! `setlock` runs a program with the lock of a file held, so that it never runs twice at a time.
//!
//! Reads    nothing.    Writes  nothing; the file is made if it is not there, and never changed.
//! Runs as  anybody who may write to the file.    Trusts  nobody.
//! Exits    with the status of the program · 100 wrong usage · 111 the lock or the program cannot be had;
//!          0 and silence in place of "the lock cannot be had" with -x.
//! Manual   setlock(8).
//!
//! The program inherits the open file, and with it the lock, which ends when the last process that has the
//! file open closes it.

use super::{Chained, run};
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use unix::exec::Search;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::{descriptor, file, lock};

const USAGE: &str = "setlock [ -nNxX ] file program [ arg ... ]";

/// Runs `setlock`.
pub fn main(invocation: &Invocation) -> Chained {
    let (mut waits, mut says_why) = (true, true);
    let mut options = invocation.options("nNxX");
    while let Some(option) = options.next_option().map_err(|error| error.with_usage(USAGE))? {
        match option.letter {
            b'n' => waits = false,
            b'N' => waits = true,
            b'x' => says_why = false,
            _ => says_why = true,
        }
    }
    let [name, program @ ..] = options.operands() else { return Err(Failure::usage(USAGE)) };
    if program.is_empty() {
        return Err(Failure::usage(USAGE));
    }
    match take_lock(name, waits) {
        Ok(_inherited) => Err(run(program, Search::Path)),
        Err(failure) if says_why => Err(failure),
        Err(_) => Ok(Exit::SUCCESS),
    }
}

fn take_lock(name: &[u8], waits: bool) -> Result<File, Failure> {
    let failure = |text: &[u8], error| Failure::temporary([text, name].concat()).because(&error);
    let file = file::open_append(Path::new(OsStr::from_bytes(name)))
        .map_err(|error| failure(b"unable to open ", error))?;
    let locked = if waits { lock::exclusive(&file) } else { lock::try_exclusive(&file) };
    locked
        .and_then(|()| descriptor::set_inheritable(&file, true))
        .map_err(|error| failure(b"unable to lock ", error))?;
    Ok(file)
}
