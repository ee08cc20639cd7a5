//! The program of a service: where it runs and what it is given.

use super::request::Request;
use super::service_dir::Layout;
use std::io;
use std::os::fd::OwnedFd;
use unix::descriptor;
use unix::directory::WorkingDirectory;
use unix::environment::Environment;
use unix::exec::{Search, exec};
use unix::failure::Failure;
use unix::process::{self, Ended};
use unix::program::Exit;
use unix::signal::{self, Signal};

/// What supervise runs.
#[derive(Debug)]
pub enum Program {
    /// As in daemontools 0.53: the one named on the command line, where supervise was started.
    Named {
        /// The program and its arguments.
        words: Vec<Vec<u8>>,
        /// Where it runs.
        directory: WorkingDirectory,
    },
    /// As in daemontools 0.76: `./run` in the service directory, which messages call by this name.
    Run {
        /// The service directory as it was named.
        directory: Vec<u8>,
    },
}

impl Program {
    /// The program of a request that was made in the directory `outside`.
    pub fn new(request: &Request, outside: WorkingDirectory) -> Program {
        match request.layout {
            Layout::Flat => Program::Named { words: request.program.clone(), directory: outside },
            Layout::Nested => Program::Run { directory: request.directory.clone() },
        }
    }

    /// Becomes the program, in a child. Returns the exit status if that fails.
    /// It inherits the descriptor that it is given, under that number; `own_group` makes it lead a session.
    pub fn run(&self, notification: Option<(&OwnedFd, i32)>, own_group: bool) -> u8 {
        prepare(own_group);
        let failure = match self {
            Program::Named { words, directory } => run_named(words, directory, notification),
            Program::Run { directory } => {
                let error = give(notification)
                    .err()
                    .unwrap_or_else(|| exec(&[b"./run".to_vec()], &Environment::inherited(), Search::Direct));
                trouble(&[b"unable to start ", directory, b"/run"], &error)
            }
        };
        failure.report("supervise");
        Exit::TEMPORARY.0
    }

    /// Becomes `finish` in the service directory, as [`run`](Program::run) becomes the program. Its arguments are
    /// the exit status of the program, or 256 if a signal ended it, and the number of that signal, or 0.
    pub fn run_finish(&self, ended: Ended, own_group: bool) -> u8 {
        prepare(own_group);
        let (status, signal) = match ended {
            Ended::Exited(status) => (i32::from(status), 0),
            Ended::Killed { signal, .. } => (256, signal),
        };
        let words = [b"./finish".to_vec(), status.to_string().into(), signal.to_string().into()];
        let error = exec(&words, &Environment::inherited(), Search::Direct);
        trouble(&[b"unable to start finish"], &error).report("supervise");
        Exit::TEMPORARY.0
    }

    /// What to warn of when no child can be made. The wording is that of the original, which slept.
    pub fn fork_trouble(&self) -> Vec<u8> {
        match self {
            Program::Named { .. } => b"unable to fork, sleeping 60 seconds".to_vec(),
            Program::Run { directory } => {
                [b"unable to fork for ", directory.as_slice(), b", sleeping 60 seconds"].concat()
            }
        }
    }
}

fn prepare(own_group: bool) {
    reset_signals();
    if own_group {
        // A child that was just forked leads no group, so this does not fail.
        let _ = process::leave_session();
    }
}

fn run_named(
    words: &[Vec<u8>],
    directory: &WorkingDirectory,
    notification: Option<(&OwnedFd, i32)>,
) -> Failure {
    if let Err(error) = directory.enter() {
        return trouble(&[b"unable to set directory"], &error);
    }
    let error = give(notification)
        .err()
        .unwrap_or_else(|| exec(words, &Environment::inherited(), Search::PathOrShell));
    let name = words.first().map_or(b"".as_slice(), Vec::as_slice);
    trouble(&[b"unable to run ", name], &error)
}

/// The last thing before exec: the number may be that of any descriptor of supervise's own.
fn give(notification: Option<(&OwnedFd, i32)>) -> io::Result<()> {
    notification.map_or(Ok(()), |(writer, number)| descriptor::place(writer, number))
}

fn trouble(text: &[&[u8]], error: &io::Error) -> Failure {
    Failure::temporary(text.concat()).because(error)
}

/// A service answers the signals that svc sends, even if supervise is a background job of a shell, which
/// ignores SIGINT and SIGQUIT. SIGHUP stays ignored where nohup was asked for.
pub(crate) fn reset_signals() {
    use Signal::{SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM};
    [SIGALRM, SIGCHLD, SIGINT, SIGPIPE, SIGQUIT, SIGTERM].into_iter().for_each(signal::default);
    if !signal::is_ignored(SIGHUP) {
        signal::default(SIGHUP);
    }
}
