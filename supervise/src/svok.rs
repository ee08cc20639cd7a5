//! `svok` asks whether supervise runs in a service directory.
//!
//! Reads    nothing.    Writes  nothing: it opens a FIFO that has a reader as long as supervise lives.
//! Runs as  anybody who may open that FIFO.    Trusts  nobody.
//! Exits    0 it runs · 100 it does not, or wrong usage · 111 that could not be found out.
//! Manual   svok(8).

use crate::supervise::service_dir::{self, Layout};
use std::os::unix::ffi::OsStrExt;
use unix::failure::{Failure, is_absent};
use unix::fifo;
use unix::program::{Exit, Invocation};

/// Runs `svok`. Arguments after the first are passed over.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let Some(name) = invocation.arguments.first() else { return Err(Failure::usage("svok dir")) };
    service_dir::enter(name)?;
    let alive = Layout::of_working_directory().alive();
    match fifo::open_writer(alive) {
        Ok(_) => Ok(Exit::SUCCESS),
        Err(error) if is_absent(&error) || fifo::has_no_reader(&error) => Ok(Exit::PERMANENT),
        Err(error) => {
            let (alive, reason) = (alive.as_os_str().as_bytes(), fifo::describe(&error).as_bytes());
            Err(Failure::temporary(
                [b"unable to open ", name.as_slice(), b"/", alive, b": ", reason].concat(),
            ))
        }
    }
}
