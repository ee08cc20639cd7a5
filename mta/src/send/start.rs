//! `qmail-start` starts the queue manager and its helpers, each as its own account.
//!
//! Reads    its arguments: the default delivery, then a logger and its arguments.
//! Runs as  root, or the one user of a home without root. It becomes qmail-send, with the same process number.
//! Exits    only if it could not start: 111.
//! Manual   qmail-start(8).    Next in the flow: send.
//!
//! ```text
//!                 fd 0 ──> log (descriptor 1 of the caller, or the logger)
//!                 fd 1 ──> qmail-lspawn   root      fd 2 <──
//! qmail-send      fd 3 ──> qmail-rspawn   qmailr    fd 4 <──
//!   qmails        fd 5 ──> qmail-clean    qmailq    fd 6 <──
//! ```

use crate::setup::home::{Home, NO_FILES_GROUP, QUEUE_GROUP, Role};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use unix::account::{self, Identity};
use unix::environment::Environment;
use unix::exec::{self, Search};
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::{descriptor, process};

/// What a mailbox without instructions gets if nothing else is said.
const DEFAULT_DELIVERY: &[u8] = b"./Mailbox";
/// One above the last descriptor of qmail-send.
const DESCRIPTORS_END: i32 = 7;

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let home = Home::of_this_program()?;
    let identities = Identities::find(&home)?;
    std::env::set_current_dir("/").map_err(unable("switch to /"))?;
    process::set_umask(0o077);
    let (default_delivery, logger) = match invocation.arguments.split_first() {
        Some((default_delivery, logger)) => (default_delivery.as_slice(), logger),
        None => (DEFAULT_DELIVERY, &[][..]),
    };
    let log = start_logger(logger, identities.logger.as_ref())?;
    let start = |name: &str,
                 argument: Option<&[u8]>,
                 identity: Option<&Identity>|
     -> Result<Helper, Failure> { Helper::start(&home, name, argument, identity) };
    let lspawn = start("qmail-lspawn", Some(default_delivery), identities.lspawn.as_ref())?;
    let rspawn = start("qmail-rspawn", None, identities.rspawn.as_ref())?;
    let cleaner = start("qmail-clean", None, identities.cleaner.as_ref())?;
    let output = descriptor::output();
    let log = log.as_ref().map_or(output.as_fd(), |log| log.as_fd());
    let wanted = [
        (log, 0),
        (lspawn.input.as_fd(), 1),
        (lspawn.output.as_fd(), 2),
        (rspawn.input.as_fd(), 3),
        (rspawn.output.as_fd(), 4),
        (cleaner.input.as_fd(), 5),
        (cleaner.output.as_fd(), 6),
    ];
    become_send(&home, identities.send.as_ref(), &wanted)
}

fn unable(what: &'static str) -> impl Fn(io::Error) -> Failure {
    move |error| Failure::temporary(format!("unable to {what}")).because(&error)
}

/// Who each process becomes; nothing where one user runs everything.
#[derive(Default)]
struct Identities {
    logger: Option<Identity>,
    lspawn: Option<Identity>,
    rspawn: Option<Identity>,
    cleaner: Option<Identity>,
    send: Option<Identity>,
}

impl Identities {
    fn find(home: &Home) -> Result<Identities, Failure> {
        if home.is_single_user() {
            return Ok(Identities::default());
        }
        if account::effective_uid() != 0 {
            return Err(Failure::temporary("must be started as root"));
        }
        let queue_group = home.group(QUEUE_GROUP)?;
        let identity = |role: Role| -> Result<Option<Identity>, Failure> {
            Ok(Some(Identity::new(home.account(role)?.uid, queue_group)))
        };
        Ok(Identities {
            logger: Some(Identity::new(home.account(Role::Qmaill)?.uid, home.group(NO_FILES_GROUP)?)),
            lspawn: Some(Identity::new(0, queue_group)),
            rspawn: identity(Role::Qmailr)?,
            cleaner: identity(Role::Qmailq)?,
            send: identity(Role::Qmails)?,
        })
    }
}

/// Runs the logger, if there is one, and gives the pipe to it.
fn start_logger(words: &[Vec<u8>], identity: Option<&Identity>) -> Result<Option<OwnedFd>, Failure> {
    if words.is_empty() {
        return Ok(None);
    }
    let (reader, writer) = descriptor::pipe().map_err(unable("create pipe"))?;
    process::fork(|| {
        let prepared = descriptor::place(&reader, 0).and_then(|()| identity.map_or(Ok(()), Identity::assume));
        descriptor::close_numbers(2..DESCRIPTORS_END);
        if prepared.is_ok() {
            let _ = exec::exec(words, &Environment::inherited(), Search::PathOrShell);
        }
        Exit::TEMPORARY.0
    })
    .map_err(unable("fork"))?;
    Ok(Some(writer))
}

/// A helper of qmail-send, with our ends of the pipes to it.
struct Helper {
    input: OwnedFd,
    output: OwnedFd,
}

impl Helper {
    fn start(
        home: &Home,
        name: &str,
        argument: Option<&[u8]>,
        identity: Option<&Identity>,
    ) -> Result<Helper, Failure> {
        let (their_input, input) = descriptor::pipe().map_err(unable("create pipe"))?;
        let (output, their_output) = descriptor::pipe().map_err(unable("create pipe"))?;
        let program = home.program(name).as_os_str().as_bytes().to_vec();
        let words: Vec<Vec<u8>> = std::iter::once(program).chain(argument.map(<[u8]>::to_vec)).collect();
        process::fork(|| {
            let wanted = [(their_input.as_fd(), 0), (their_output.as_fd(), 1)];
            let prepared =
                descriptor::place_all(&wanted).and_then(|()| identity.map_or(Ok(()), Identity::assume));
            descriptor::close_numbers(2..DESCRIPTORS_END);
            if prepared.is_ok() {
                let _ = exec::exec(&words, &Environment::inherited(), Search::Direct);
            }
            Exit::TEMPORARY.0
        })
        .map_err(unable("fork"))?;
        Ok(Helper { input, output })
    }
}

/// Becomes qmail-send. Returns only if that failed; the helpers then see the end of their input.
fn become_send(
    home: &Home,
    identity: Option<&Identity>,
    wanted: &[(BorrowedFd<'_>, i32)],
) -> Result<Exit, Failure> {
    let silent = |_| Failure::silent(Exit::TEMPORARY);
    identity.map_or(Ok(()), Identity::assume).map_err(unable("change identity"))?;
    // From here on descriptor 2 is a pipe, and nobody can be told anything.
    descriptor::place_all(wanted).map_err(silent)?;
    let program = home.program("qmail-send").as_os_str().as_bytes().to_vec();
    Err(silent(exec::exec(&[program], &Environment::inherited(), Search::Direct)))
}
