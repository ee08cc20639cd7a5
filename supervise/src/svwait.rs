//! `svwait` waits until services are up, down or ready.
//!
//! Reads    the status file of each directory, when supervise says that it has changed.    Writes  nothing.
//! Runs as  anybody who may read the status files.    Trusts  supervise for what they say.
//! Exits    0 all of them are · 99 the time is over · 100 wrong usage, or a service has failed and will not come
//!          up · 111 no way back to the directory it was started in.
//! Manual   svwait(8).

use crate::supervise::service_dir::open_event;
use crate::supervise::status::Phase;
use crate::svstat::look::{Seen, look_at};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use unix::directory::WorkingDirectory;
use unix::failure::Failure;
use unix::poll::{self, Interest};
use unix::program::{Exit, Invocation};

const USAGE: &str = "svwait [ -udr ] [ -t seconds ] dir ...";
/// The time was over first.
const TIMED_OUT: Exit = Exit(99);
/// When to look again if there is no news: after the shorter time at first, then after twice as long as the time
/// before, up to the longer. A supervise of another make gives no news, nor does one that is not there yet.
const BETWEEN_LOOKS: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(500)];
/// How much longer to wait for news where there should be some. The directory may be another one by now.
const PATIENCE: u32 = 10;

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
    let waiter = Waiter { goal, end: limit.and_then(|limit| Instant::now().checked_add(limit)) };
    for name in names {
        if !waiter.wait_for(name)? {
            return Ok(TIMED_OUT);
        }
    }
    Ok(Exit::SUCCESS)
}

struct Waiter {
    goal: Goal,
    /// When the time is over.
    end: Option<Instant>,
}

impl Waiter {
    /// Waits for one service; whether it got there in time.
    fn wait_for(&self, name: &[u8]) -> Result<bool, Failure> {
        let start = WorkingDirectory::current()
            .map_err(|error| Failure::temporary("unable to open current directory").because(&error))?;
        let [mut pause, longest] = BETWEEN_LOOKS;
        loop {
            // Before the look, so that no change after it is missed.
            let event = open_event(name).ok();
            let seen = look_at(name).ok();
            start.enter().map_err(|error| Failure::temporary("unable to set directory").because(&error))?;
            match self.goal.answer(seen.as_ref()) {
                Answer::Reached => return Ok(true),
                Answer::Never => return Err(Failure::permanent([name, b" has failed"].concat())),
                Answer::NotYet if self.end.is_some_and(|end| end <= Instant::now()) => return Ok(false),
                Answer::NotYet => {}
            }
            match event.filter(|_| seen.is_some_and(|seen| seen.is_supervised)) {
                Some(event) => {
                    let limit = self.until(pause.saturating_mul(PATIENCE));
                    // Polling an open descriptor does not fail; if it did, looking too early would be harmless.
                    let _ = poll::wait_one(event.as_fd(), Interest::Read, Some(limit));
                }
                None => std::thread::sleep(self.until(pause)),
            }
            pause = longest.min(pause.saturating_mul(2));
        }
    }

    /// That long, or until the time is over.
    fn until(&self, pause: Duration) -> Duration {
        let left = self.end.map(|end| end.saturating_duration_since(Instant::now()));
        left.unwrap_or(pause).min(pause)
    }
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
