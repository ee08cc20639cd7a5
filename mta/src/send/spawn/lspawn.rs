//! `qmail-lspawn` starts one `qmail-local` for each delivery to a local recipient.
//!
//! Reads    fd 0: delivery requests of qmail-send.      Writes  fd 1: delivery reports.
//! Runs as  root, to become the mailbox owner; it parses nothing but requests and users/cdb, and that in a child.
//!          Trusts  qmail-send for slot numbers, nobody for message contents.
//! Exits    0 when fd 0 ends and all deliveries have · 100 without its argument · 111 if there is no queue.
//! Manual   qmail-lspawn(8).    Next in the flow: deliver::local.

use super::request::Request;
use super::{Agent, report};
use crate::setup::home::Home;
use crate::users::{self, Controller, Trouble};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use unix::account::{self, Identity};
use unix::environment::Environment;
use unix::exec::{self, Search};
use unix::failure::Failure;
use unix::process::Ended;
use unix::program::{Exit, Invocation};

/// The program's entry. Its argument is what a mailbox without instructions gets: the default delivery.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let Some(default_delivery) = invocation.arguments.first() else {
        return Err(Failure::usage("qmail-lspawn defaultdelivery"));
    };
    let home = Home::of_this_program()?;
    super::run(&home, &LocalAgent { default_delivery })
}

/// What a qmail-lspawn that runs for this home was given as its argument; nothing if none can be seen.
///
/// Its process number and arguments are there for everybody; that it belongs to the owner of the home keeps
/// others from posing as it.
pub fn running_default_delivery(home: &Home) -> Option<Vec<u8>> {
    let owner = std::fs::metadata(home.path()).ok()?.uid();
    let program = home.program("qmail-lspawn");
    std::fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        if entry.metadata().ok()?.uid() != owner {
            return None;
        }
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let mut words = line.split(|byte| *byte == 0);
        let is_it = words.next()? == program.as_os_str().as_bytes();
        words.next().filter(|_| is_it).map(<[u8]>::to_vec)
    })
}

struct LocalAgent<'a> {
    default_delivery: &'a [u8],
}

impl Agent for LocalAgent<'_> {
    fn run(&self, home: &Home, request: &Request) -> u8 {
        match self.become_local(home, request) {
            Ok(never) => match never {},
            Err(trouble) => trouble.exit(),
        }
    }

    fn report(&self, ended: Ended, output: &[u8]) -> Vec<u8> {
        report::local(ended, output)
    }

    fn bound(&self, output: &mut Vec<u8>) {
        report::bound_local(output);
    }
}

impl LocalAgent<'_> {
    fn become_local(&self, home: &Home, request: &Request) -> Result<std::convert::Infallible, Trouble> {
        std::env::set_current_dir(home.path()).map_err(|_| Trouble::Internal)?;
        let local = request.local_part();
        let controller = users::find(home, local)?;
        assume_identity(home, &controller)?;
        let program = home.program("qmail-local");
        let words: [&[u8]; 10] = [
            program.as_os_str().as_bytes(),
            b"--",
            &controller.user,
            &controller.home,
            local,
            &controller.dash,
            &controller.ext,
            request.host(),
            &request.sender,
            self.default_delivery,
        ];
        let words: Vec<Vec<u8>> = words.into_iter().map(<[u8]>::to_vec).collect();
        let error = exec::exec(&words, &Environment::inherited(), Search::Direct);
        Err(Trouble::from_exec(&error))
    }
}

/// Becomes the mailbox owner, for good. Nothing is ever delivered as root.
fn assume_identity(home: &Home, controller: &Controller) -> Result<(), Trouble> {
    if home.is_single_user() {
        // Nobody else can be become; mail for another account waits for an administrator.
        return if controller.uid == account::effective_uid() { Ok(()) } else { Err(Trouble::Internal) };
    }
    Identity::new(controller.uid, controller.gid).assume().map_err(|_| Trouble::Internal)?;
    if account::real_uid() == 0 { Err(Trouble::Root) } else { Ok(()) }
}
