//! `fifo` makes a named pipe and copies what anybody writes to it, for ever.
//!
//! Reads    the named pipe.    Writes  fd 1: every byte, as soon as it comes.
//! Runs as  anybody; only the same user may write to the pipe.    Trusts  nobody.
//! Exits    100 wrong usage · 111 the pipe cannot be used, or fd 1 not written. Otherwise it runs until killed.
//! Manual   fifo(1).

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::{descriptor, fifo, file};

/// Runs `fifo`. Arguments after the first are passed over.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let Some(name) = invocation.arguments.first() else { return Err(Failure::usage("fifo filename")) };
    let failure = |text: &str, more: &str| {
        let text = [text.as_bytes(), name, more.as_bytes()].concat();
        move |error: io::Error| Failure::temporary(text).because(&error)
    };
    let path = Path::new(OsStr::from_bytes(name));
    fifo::make(path).map_err(failure("unable to create ", ""))?;
    let input = file::open_read(path).map_err(failure("unable to open ", " for reading"))?;
    // As long as there is a writer, and be it this one, the pipe does not end.
    let _writer = file::open_write(path).map_err(failure("unable to open ", " for writing"))?;
    descriptor::set_nonblocking(&input, false).map_err(failure("unable to read ", ""))?;
    copy(input, failure("unable to read ", ""))?;
    Err(Failure::temporary([b"end of file on ", name.as_slice()].concat()))
}

/// Copies to the end, which only a file that is not a pipe has.
fn copy(mut input: File, unreadable: impl FnOnce(io::Error) -> Failure) -> Result<(), Failure> {
    let mut buffer = [0; 1024];
    loop {
        let length = match input.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(unreadable(error)),
        };
        let chunk = buffer.get(..length).expect("read() fills no more than the buffer");
        descriptor::output()
            .write_all(chunk)
            .map_err(|error| Failure::temporary("unable to write output").because(&error))?;
    }
}
