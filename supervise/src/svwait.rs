//! `svwait` waits until services are up, down or ready.
//!
//! Reads    the status file of each directory, several times a second.    Writes  nothing.
//! Runs as  anybody who may read the status files.    Trusts  supervise for what they say.
//! Exits    0 all of them are · 99 the time is over · 100 wrong usage, or a service has failed and will not come
//!          up · 111 no way back to the directory it was started in.
//! Manual   svwait(8).

use crate::supervise::status::Phase;
use crate::svstat::look::{Seen, look_at};
use std::time::{Duration, Instant};
use unix::directory::WorkingDirectory;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};

const USAGE: &str = "svwait [ -udr ] [ -t seconds ] dir ...";
/// The time was over first.
const TIMED_OUT: Exit = Exit(99);
/// Short for whoever waits, and nothing for the machine. Looking again needs nothing of supervise, of any make.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// What to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    Up,
    Down,
    Ready,
}

/// What a look at a service gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Reached,
    NotYet,
    Never,
}

/// Runs `svwait`. Without a letter it waits for up; of several the last counts.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let (mut goal, mut limit) = (Goal::Up, None);
    let mut options = invocation.options("udrt:");
    while let Some(option) = options.next_option().map_err(|error| error.with_usage(USAGE))? {
        match option.letter {
            b'u' => goal = Goal::Up,
            b'd' => goal = Goal::Down,
            b'r' => goal = Goal::Ready,
            _ => limit = Some(Duration::from_secs(option.number())),
        }
    }
    let names = options.operands();
    if names.is_empty() {
        return Err(Failure::usage(USAGE));
    }
    let start = WorkingDirectory::current()
        .map_err(|error| Failure::temporary("unable to open current directory").because(&error))?;
    let begin = Instant::now();
    for name in names {
        loop {
            let seen = look_at(name).ok();
            start.enter().map_err(|error| Failure::temporary("unable to set directory").because(&error))?;
            match goal.answer(seen.as_ref()) {
                Answer::Reached => break,
                Answer::Never => return Err(Failure::permanent([name.as_slice(), b" has failed"].concat())),
                Answer::NotYet if limit.is_some_and(|limit| begin.elapsed() >= limit) => {
                    return Ok(TIMED_OUT);
                }
                Answer::NotYet => std::thread::sleep(BETWEEN_LOOKS),
            }
        }
    }
    Ok(Exit::SUCCESS)
}

impl Goal {
    /// A service without a supervise may get one, and nobody knows what it does until then.
    fn answer(self, seen: Option<&Seen>) -> Answer {
        let Some(seen) = seen.filter(|seen| seen.is_supervised) else { return Answer::NotYet };
        let phase = seen.details.map(|details| details.phase);
        let reached = match self {
            Goal::Up => seen.status.pid.is_some(),
            Goal::Down => seen.status.pid.is_none() && phase != Some(Phase::Finishing),
            Goal::Ready => seen.details.is_some_and(|details| details.ready.is_some()),
        };
        match (reached, self) {
            (true, _) => Answer::Reached,
            (false, Goal::Up | Goal::Ready) if phase == Some(Phase::Failed) => Answer::Never,
            (false, _) => Answer::NotYet,
        }
    }
}
