//! `qmail-rspawn` starts one `qmail-remote` for each delivery to a remote recipient.
//!
//! Reads    fd 0: delivery requests of qmail-send.      Writes  fd 1: delivery reports.
//! Runs as  qmailr.   Trusts  qmail-send for slot numbers, nobody for message contents.
//! Exits    0 when fd 0 ends and all deliveries have · 111 if there is no queue.
//! Manual   qmail-rspawn(8).    Next in the flow: deliver::remote.

use super::request::Request;
use super::{Agent, Ends, Process, Stage, report};
use crate::queue::layout;
use crate::setup::home::Home;
use std::fs::OpenOptions;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use unix::environment::{self, Environment};
use unix::exec::{self, Search};
use unix::failure::{self, Failure};
use unix::fork_server::{Call, KeptProgram, Parent};
use unix::process::Ended;
use unix::program::{Exit, Invocation};

/// Bytes of the table of hosts that timed out.
const TCPTO_SIZE: usize = 1024;

/// The program's entry.
pub fn main(_: &Invocation) -> Result<Exit, Failure> {
    let home = Home::of_this_program()?;
    forget_timeouts(&home);
    let remote = KeptProgram::new(home.program("qmail-remote"));
    super::run(&home, RemoteAgent { remote })
}

/// After a restart every host gets its chance. Failure does no harm: entries grow old by themselves.
fn forget_timeouts(home: &Home) {
    if let Ok(table) = OpenOptions::new().write(true).open(home.queue().join(layout::TCPTO)) {
        let _ = table.write_all_at(&[0; TCPTO_SIZE], 0);
    }
}

struct RemoteAgent {
    remote: KeptProgram,
}

/// Names a program in place of qmail-remote.
const VARIABLE: &str = "QMAILREMOTE";

impl Agent for RemoteAgent {
    /// Becomes qmail-remote, or the program that the variable QMAILREMOTE names.
    fn run(&self, home: &Home, request: &Request) -> u8 {
        let own = || home.program("qmail-remote").as_os_str().as_bytes().to_vec();
        let program = environment::get(VARIABLE).unwrap_or_else(own);
        let words: Vec<Vec<u8>> = std::iter::once(program).chain(arguments(request)).collect();
        let error = exec::exec(&words, &Environment::inherited(), Search::Path);
        if failure::is_temporary(&error) { Exit::TEMPORARY.0 } else { Exit::PERMANENT.0 }
    }

    fn begin(&mut self, _: &Home, request: &Request, ends: &Ends) -> Option<(Stage, Process)> {
        if environment::get(VARIABLE).is_some() {
            return None;
        }
        let prepare = || {
            ends.lower_limits();
            Ok(())
        };
        let call = Call {
            arguments: arguments(request).to_vec(),
            environment: None,
            identity: None,
            descriptors: &ends.descriptors(),
            parent: Parent::Starter,
        };
        Some((Stage::Delivery, Process::Copy(self.remote.keep_and_call(prepare, &call)?)))
    }

    fn report(&self, ended: Ended, output: &[u8]) -> Vec<u8> {
        report::remote(ended, output)
    }

    fn bound(&self, output: &mut Vec<u8>) {
        report::bound_remote(output);
    }
}

fn arguments(request: &Request) -> [Vec<u8>; 3] {
    [request.host().to_vec(), request.sender.clone(), request.recipient.clone()]
}
