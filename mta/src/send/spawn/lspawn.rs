//! `qmail-lspawn` starts one `qmail-local` for each delivery to a local recipient.
//!
//! Reads    fd 0: delivery requests of qmail-send.      Writes  fd 1: delivery reports.
//! Runs as  root, to become the mailbox owner; it parses nothing but requests, users/cdb and what qmail-getpw says.
//!          Trusts  qmail-send for slot numbers, nobody for message contents.
//! Exits    0 when fd 0 ends and all deliveries have · 100 without its argument · 111 if there is no queue.
//! Manual   qmail-lspawn(8).    Next in the flow: deliver::local.

use super::request::Request;
use super::{Agent, Ends, Process, Stage, report};
use crate::setup::home::Home;
use crate::users::{self, Controller, Trouble};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use unix::account::{self, Identity};
use unix::directory;
use unix::environment::Environment;
use unix::exec::{self, Search};
use unix::failure::Failure;
use unix::fork_server::{Call, KeptProgram, Parent};
use unix::process::Ended;
use unix::program::{Exit, Invocation};

/// The program's entry. Its argument is what a mailbox without instructions gets: the default delivery.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let Some(default_delivery) = invocation.arguments.first() else {
        return Err(Failure::usage("qmail-lspawn defaultdelivery"));
    };
    let home = Home::of_this_program()?;
    let [lookup, delivery] = ["qmail-getpw", "qmail-local"].map(|name| KeptProgram::new(home.program(name)));
    super::run(&home, LocalAgent { default_delivery, lookup, delivery })
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
    /// qmail-getpw, as qmailp.
    lookup: KeptProgram,
    /// qmail-local, as root as long as it is nobody's: each copy is told first whom to become, and cannot begin before.
    delivery: KeptProgram,
}

impl Agent for LocalAgent<'_> {
    fn run(&self, home: &Home, request: &Request) -> u8 {
        match self.become_local(home, request) {
            Ok(never) => match never {},
            Err(trouble) => trouble.exit(),
        }
    }

    fn begin(&mut self, home: &Home, request: &Request, ends: &Ends) -> Option<(Stage, Process)> {
        match users::find_assigned(home, request.local_part()) {
            Ok(Some((controller, _))) => {
                Some((Stage::Delivery, self.call_local(home, request, &controller, ends).ok()??))
            }
            Ok(None) => Some((Stage::Lookup, self.call_getpw(home, request, ends)?)),
            // The child finds it out once more, and its end says it.
            Err(_) => None,
        }
    }

    fn found(
        &mut self,
        home: &Home,
        request: &Request,
        ended: Ended,
        output: &[u8],
        ends: &Ends,
    ) -> Result<Option<Process>, u8> {
        let call = |controller: Controller| self.call_local(home, request, &controller, ends);
        users::answer_of_getpw(ended, output).and_then(call).map_err(Trouble::exit)
    }

    fn report(&self, ended: Ended, output: &[u8]) -> Vec<u8> {
        report::local(ended, output)
    }

    fn bound(&self, output: &mut Vec<u8>) {
        report::bound_local(output);
    }
}

impl LocalAgent<'_> {
    /// Asks a copy of qmail-getpw, whose answer comes by the pipe for the report.
    fn call_getpw(&mut self, home: &Home, request: &Request, ends: &Ends) -> Option<Process> {
        let prepare = || {
            ends.lower_limits();
            directory::enter(home.path())?;
            users::become_looker_up(home).map_err(|_| io::ErrorKind::PermissionDenied.into())
        };
        let call = Call {
            arguments: vec![request.local_part().to_vec()],
            environment: None,
            identity: None,
            descriptors: &[(ends.report.as_fd(), 1)],
            parent: Parent::Starter,
        };
        self.lookup.keep_and_call(prepare, &call).map(Process::Copy)
    }

    /// Lets a copy of qmail-local deliver, as the mailbox owner. `None`: it has to be run as ever.
    fn call_local(
        &mut self,
        home: &Home,
        request: &Request,
        controller: &Controller,
        ends: &Ends,
    ) -> Result<Option<Process>, Trouble> {
        let prepare = || {
            ends.lower_limits();
            directory::enter(home.path())
        };
        let call = Call {
            arguments: self.arguments(request, controller).to_vec(),
            environment: None,
            identity: mailbox_owner(home, controller)?,
            descriptors: &ends.descriptors(),
            parent: Parent::Starter,
        };
        Ok(self.delivery.keep_and_call(prepare, &call).map(|copy| Process::Child(copy.pid())))
    }

    fn become_local(&self, home: &Home, request: &Request) -> Result<std::convert::Infallible, Trouble> {
        directory::enter(home.path()).map_err(|_| Trouble::Internal)?;
        let controller = users::find(home, request.local_part())?;
        if let Some(owner) = mailbox_owner(home, &controller)? {
            owner.assume().map_err(|_| Trouble::Internal)?;
        }
        let program = self.delivery.file().as_os_str().as_bytes().to_vec();
        let words: Vec<Vec<u8>> =
            std::iter::once(program).chain(self.arguments(request, &controller)).collect();
        let error = exec::exec(&words, &Environment::inherited(), Search::Direct);
        Err(Trouble::from_exec(&error))
    }

    fn arguments(&self, request: &Request, controller: &Controller) -> [Vec<u8>; 9] {
        let words: [&[u8]; 9] = [
            b"--",
            &controller.user,
            &controller.home,
            request.local_part(),
            &controller.dash,
            &controller.ext,
            request.host(),
            &request.sender,
            self.default_delivery,
        ];
        words.map(<[u8]>::to_vec)
    }
}

/// Whom to become for a delivery, for good; `None` in a home of one user, where nobody can be become. Nothing is ever
/// delivered as root.
fn mailbox_owner(home: &Home, controller: &Controller) -> Result<Option<Identity>, Trouble> {
    match controller.uid {
        uid if home.is_single_user() && uid == account::effective_uid() => Ok(None),
        // Mail for another account waits for an administrator.
        _ if home.is_single_user() => Err(Trouble::Internal),
        0 => Err(Trouble::Root),
        uid => Ok(Some(Identity::new(uid, controller.gid))),
    }
}
