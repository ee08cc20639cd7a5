//! A processor: a command of the shell through which a finished file goes.

use crate::patience::Patience;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::time::{Duration, Instant};
use unix::descriptor;
use unix::environment::Environment;
use unix::exec::{Search, exec};
use unix::failure::describe;
use unix::poll::{Interest, wait_one};
use unix::process::{self, Ended, Pid};
use unix::signal::{self, Signal};

/// Runs `/bin/sh -c command` in the working directory with these descriptors, and waits for its end.
///
/// When TERM comes, the command has a little time to finish; then it is ended as well, with what it started.
/// `patience` has to catch SIGCHLD.
pub fn run(
    command: &[u8],
    descriptors: &[(BorrowedFd<'_>, RawFd)],
    patience: &mut Patience<'_>,
) -> io::Result<Ended> {
    let words = [b"/bin/sh".to_vec(), b"-c".to_vec(), command.to_vec()];
    let environment = Environment::inherited();
    let child = process::fork(|| {
        // A group of its own, so that all of it can be ended.
        let _ = process::leave_process_group();
        signal::default(Signal::SIGPIPE);
        let error = match descriptor::place_all(descriptors) {
            Ok(()) => exec(&words, &environment, Search::Direct),
            Err(error) => error,
        };
        descriptor::write_error_line(&[b"unable to run /bin/sh: ", describe(&error).as_bytes()]);
        111
    })?;
    wait(child, patience)
}

fn wait(child: Pid, patience: &mut Patience<'_>) -> io::Result<Ended> {
    let group = Pid::from_raw(child.as_raw().saturating_neg());
    let mut deadline = None;
    let mut means = [Signal::SIGTERM, Signal::SIGKILL].into_iter();
    loop {
        patience.rearm();
        while let Some((pid, ended)) = process::reap_any() {
            if pid == child {
                return Ok(ended);
            }
        }
        if patience.is_terminated() {
            let end = *deadline.get_or_insert_with(|| Instant::now() + GRACE);
            if end <= Instant::now() {
                let _ = process::kill(group, means.next().unwrap_or(Signal::SIGKILL));
                deadline = None;
            }
        }
        let limit = deadline.map(|end: Instant| end.saturating_duration_since(Instant::now()));
        wait_one(patience.as_fd(), Interest::Read, limit)?;
    }
}

/// How long a command may go on after TERM, and after its own TERM.
const GRACE: Duration = Duration::from_secs(2);
