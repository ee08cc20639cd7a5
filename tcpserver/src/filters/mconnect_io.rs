//! `mconnect-io` lets a person talk to a server: lines typed go out with CR LF, what comes is shown.
//!
//! Called   by the script `mconnect`, under `tcpclient`.
//! Reads    fd 0, for the server; fd 6, from it.      Writes  fd 7, to the server; fd 1.
//! Runs as  anybody.   Trusts  nobody.
//! Exits    0 when the server has ended the connection; the end of fd 0 does not end it.
//! Manual   mconnect(1).

use super::flow::{self, Flow};
use super::line_ends::{AddCr, Change};
use std::fs::File;
use unix::descriptor;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::signal::{self, Signal};

/// Runs the program.
pub fn main(_: &Invocation) -> Result<Exit, Failure> {
    // Without a connection there is nothing to show.
    let (Ok(from_server), Ok(to_server)) = (descriptor::inherited(6), descriptor::inherited(7)) else {
        return Ok(Exit::SUCCESS);
    };
    signal::ignore(Signal::SIGPIPE);
    let typed = Flow::new(descriptor::input(), File::from(to_server), AddCr);
    flow::both_ways(typed, Flow::new(File::from(from_server), descriptor::output(), AsItIs));
    Ok(Exit::SUCCESS)
}

/// No change.
struct AsItIs;

impl Change for AsItIs {
    fn apply(&mut self, bytes: &[u8]) -> Vec<u8> {
        bytes.to_vec()
    }
}
