//! A service that svscan knows: its supervise, the supervise of its log, and the pipe between the two.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use unix::process::Pid;

/// A supervise that ended sooner than this after its start is left alone until the next look at the directory:
/// what failed at once would fail again.
const SHORT_LIFE: Duration = Duration::from_secs(1);

/// A directory, by whatever name: device and inode, whole.
pub type Identity = (u64, u64);

/// One of the two sides of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The service itself.
    Main,
    /// Its log.
    Log,
}

/// A supervise process as svscan sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supervise {
    /// There is none; one may be started.
    Missing,
    /// There is none, and none is started before the next look at the directory.
    Resting,
    /// It runs.
    Running {
        /// Its number.
        pid: Pid,
        /// When it was started.
        since: Instant,
        /// Whether it was told to end itself and its program.
        told: bool,
    },
}

impl Supervise {
    /// Its number, if it runs.
    pub fn pid(self) -> Option<Pid> {
        match self {
            Supervise::Running { pid, .. } => Some(pid),
            Supervise::Missing | Supervise::Resting => None,
        }
    }

    /// What a process that ends at `now` leaves.
    fn ended(self, now: Instant) -> Supervise {
        match self {
            Supervise::Running { since, .. } if now.saturating_duration_since(since) < SHORT_LIFE => {
                Supervise::Resting
            }
            _ => Supervise::Missing,
        }
    }
}

/// The log of a service, and the pipe to it. svscan holds both ends, so that nothing that was written is lost
/// while either side is started again.
#[derive(Debug)]
pub struct Log {
    /// The supervise of the log.
    pub supervise: Supervise,
    /// (Read end, write end); nothing once the log is to see the end of its input.
    pub pipe: Option<(OwnedFd, OwnedFd)>,
}

/// A service.
#[derive(Debug)]
pub struct Service {
    /// What it was called when it was last seen.
    pub name: Vec<u8>,
    /// Whether the last look at the directory found it. One that is gone is not started again.
    pub is_there: bool,
    /// Its supervise.
    pub supervise: Supervise,
    /// Its log, if it had a directory for one when it was first seen.
    pub log: Option<Log>,
}

impl Service {
    /// A service that was just found. `pipe` is for its log, if it has one.
    pub fn new(name: &[u8], pipe: Option<(OwnedFd, OwnedFd)>) -> Service {
        let log = pipe.map(|pipe| Log { supervise: Supervise::Missing, pipe: Some(pipe) });
        Service { name: name.to_vec(), is_there: true, supervise: Supervise::Missing, log }
    }

    /// The supervise of one side, if there is that side.
    pub fn side(&mut self, side: Side) -> Option<&mut Supervise> {
        match side {
            Side::Main => Some(&mut self.supervise),
            Side::Log => self.log.as_mut().map(|log| &mut log.supervise),
        }
    }

    /// Whether one of its processes runs.
    pub fn is_running(&self) -> bool {
        self.supervise.pid().is_some() || self.log.as_ref().is_some_and(|log| log.supervise.pid().is_some())
    }

    /// Notes the end of a process, if it was one of this service's.
    pub fn note_end(&mut self, pid: Pid, now: Instant) -> bool {
        for side in [Side::Main, Side::Log] {
            if let Some(supervise) = self.side(side)
                && supervise.pid() == Some(pid)
            {
                *supervise = supervise.ended(now);
                return true;
            }
        }
        false
    }

    /// Notes that another look at the directory found it, by this name.
    pub fn note_sight(&mut self, name: &[u8]) {
        self.is_there = true;
        if self.name != name {
            self.name = name.to_vec();
        }
        for side in [Side::Main, Side::Log] {
            if let Some(supervise) = self.side(side)
                && *supervise == Supervise::Resting
            {
                *supervise = Supervise::Missing;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(service: &mut Service, side: Side, number: i32, since: Instant) -> Pid {
        let pid = Pid::from_raw(number);
        *service.side(side).unwrap() = Supervise::Running { pid, since, told: false };
        pid
    }

    #[test]
    fn what_ran_for_a_while_may_be_started_again_at_once() {
        let start = Instant::now();
        let mut service = Service::new(b"service", None);
        let pid = running(&mut service, Side::Main, 70, start);
        assert!(!service.note_end(Pid::from_raw(71), start));
        assert!(service.note_end(pid, start + SHORT_LIFE));
        assert_eq!(service.supervise, Supervise::Missing);
        assert!(!service.is_running());
    }

    #[test]
    fn what_ended_at_once_waits_for_the_next_look() {
        let start = Instant::now();
        let mut service = Service::new(b"service", Some(unix::descriptor::pipe().unwrap()));
        running(&mut service, Side::Main, 70, start);
        let pid = running(&mut service, Side::Log, 71, start);
        assert!(service.note_end(pid, start));
        assert_eq!(service.side(Side::Log), Some(&mut Supervise::Resting));
        assert!(service.is_running());
        service.note_sight(b"new name");
        assert_eq!(service.side(Side::Log), Some(&mut Supervise::Missing));
        assert_eq!(service.supervise.pid(), Some(Pid::from_raw(70)));
        assert_eq!(service.name, b"new name");
    }
}
