//! Copies of a program that is [kept](unix::fork_server): each serves one connection after the other, and tells us when one ends.

use std::collections::HashSet;
use std::os::fd::{AsFd, BorrowedFd};
use unix::fork_server::{Call, Copy, KeptProgram};
use unix::process::{Ended, Pid};

/// The program, and the copies of it that have served somebody.
pub(super) struct Kept {
    program: KeptProgram,
    serving: Vec<Serving>,
    /// All that live, as far as we know, whether they serve or not.
    copies: HashSet<Pid>,
}

/// A copy with a connection.
struct Serving {
    pid: Pid,
    /// Tells of the end of the connection. `None`: it is told by the end of the process.
    copy: Option<Copy>,
}

/// A connection that a copy has begun to serve.
pub(super) struct Begun {
    pub pid: Pid,
    /// How the one before it ended, of which we had not heard.
    pub earlier: Option<Ended>,
}

/// What the death of a process means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Death {
    /// A connection has ended so.
    OfConnection(Ended),
    /// Nobody was served.
    OfNothing,
    /// The process is none of these.
    Unknown,
}

impl Kept {
    /// Nothing runs yet.
    pub fn new(program: KeptProgram) -> Kept {
        Kept { program, serving: Vec::new(), copies: HashSet::new() }
    }

    /// Lets a copy serve a connection. `None`: the program has to be run.
    pub fn call(&mut self, call: &Call) -> Option<Begun> {
        let copy = self.program.keep_and_call(|| Ok(()), call)?;
        let pid = copy.pid();
        // It has told the end of its last connection before it took this one.
        let earlier = self.position(pid).and_then(|at| self.serving.swap_remove(at).told());
        self.copies.insert(pid);
        self.serving.push(Serving { pid, copy: Some(copy) });
        Some(Begun { pid, earlier })
    }

    /// Descriptors that can be read when a connection has ended.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.serving.iter().filter_map(|serving| Some(serving.copy.as_ref()?.as_fd()))
    }

    /// Connections that have ended. `ready` are the [descriptors](Kept::descriptors) that can be read, in their order.
    pub fn take_ended(&mut self, ready: &[bool]) -> Vec<(Pid, Ended)> {
        let mut ready = ready.iter();
        let mut ended = Vec::new();
        self.serving.retain_mut(|serving| {
            if serving.copy.is_none() || ready.next() != Some(&true) {
                return true;
            }
            let told = serving.told();
            serving.copy = None;
            ended.extend(told.map(|how| (serving.pid, how)));
            told.is_none()
        });
        ended
    }

    /// A child of ours has died.
    pub fn died(&mut self, pid: Pid, ended: Ended) -> Death {
        if self.program.was_server(pid) {
            return Death::OfNothing;
        }
        let is_copy = self.copies.remove(&pid);
        match self.position(pid) {
            Some(at) => Death::OfConnection(self.serving.swap_remove(at).told().unwrap_or(ended)),
            None if is_copy => Death::OfNothing,
            None => Death::Unknown,
        }
    }

    fn position(&self, pid: Pid) -> Option<usize> {
        self.serving.iter().position(|serving| serving.pid == pid)
    }
}

impl Serving {
    fn told(&self) -> Option<Ended> {
        self.copy.as_ref()?.wait().map(Ended::Exited)
    }
}
