//! A processor: a command of the shell through which a finished file goes.

use crate::patience::Patience;
use std::fs::File;
use std::io::{self, Write};
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
/// At the deadline the command is ended with all that it started. When TERM comes, it has a little time to finish,
/// and is then ended, too. `patience` has to hold SIGCHLD.
pub fn run(
    command: &[u8],
    descriptors: &[(BorrowedFd<'_>, RawFd)],
    deadline: Option<Instant>,
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
    wait(child, deadline, patience)
}

fn wait(child: Pid, deadline: Option<Instant>, patience: &mut Patience<'_>) -> io::Result<Ended> {
    let group = Pid::from_raw(child.as_raw().saturating_neg());
    let mut means = [Signal::SIGTERM, Signal::SIGKILL].into_iter();
    // When the next means is used.
    let mut due = deadline;
    let mut is_hurried = false;
    loop {
        patience.rearm();
        while let Some((pid, ended)) = process::reap_any() {
            if pid == child {
                return Ok(ended);
            }
        }
        let now = Instant::now();
        if patience.is_terminated() && !is_hurried {
            is_hurried = true;
            due = Some(due.map_or(now + GRACE, |due| due.min(now + GRACE)));
        }
        if due.is_some_and(|due| due <= now) {
            let _ = process::kill(group, means.next().unwrap_or(Signal::SIGKILL));
            due = Some(now + GRACE);
        }
        wait_one(patience.as_fd(), Interest::Read, due.map(|due| due.saturating_duration_since(now)))?;
    }
}

/// The moment until which a processor may have to do with one file, all its tries together.
pub fn deadline(limit: Option<Duration>) -> Option<Instant> {
    limit.and_then(|limit| Instant::now().checked_add(limit))
}

/// Whether that moment has come.
pub fn is_over(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| deadline <= Instant::now())
}

/// What is in the way of more output, if it is the disk: an exit status does not say so. The output gets longer.
pub fn obstacle(mut output: &File) -> Option<io::Error> {
    output.write_all(&[0; 2 * LARGEST_BLOCK]).err()
}

/// Bytes that a file without space may still take: the rest of its last block.
const LARGEST_BLOCK: usize = 4096;
/// How long a command may go on after TERM, and after its own TERM.
const GRACE: Duration = Duration::from_secs(2);
