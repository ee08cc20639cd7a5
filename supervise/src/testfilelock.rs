//! `testfilelock` asks whether somebody holds the lock of a file.
//!
//! Reads    nothing.    Writes  nothing; the file must be there.
//! Runs as  anybody who may write to the file.    Trusts  nobody.
//! Exits    0 somebody holds it · 100 nobody does, or wrong usage · 111 that could not be found out.
//! Manual   testfilelock(1).

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::{file, lock};

/// Runs `testfilelock`. Arguments after the first are passed over.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let Some(name) = invocation.arguments.first() else {
        return Err(Failure::usage("testfilelock filename"));
    };
    let failure = |text: &[u8], error| Failure::temporary([text, name].concat()).because(&error);
    let file = file::open_write(Path::new(OsStr::from_bytes(name)))
        .map_err(|error| failure(b"unable to open ", error))?;
    match lock::try_exclusive(&file) {
        Ok(()) => Ok(Exit::PERMANENT),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Exit::SUCCESS),
        Err(error) => Err(failure(b"trouble locking ", error)),
    }
}
