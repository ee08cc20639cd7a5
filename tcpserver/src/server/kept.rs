//! Copies of a program that is [kept](unix::fork_server): each serves one connection after the other, and tells us when one ends.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;
use unix::fork_server::{Call, Copy, KeptProgram};
use unix::poll::{self, Interest};
use unix::process::{Ended, Pid};
use unix::program::Exit;

/// The program, and the copies of it that serve somebody.
pub(super) struct Kept {
    program: KeptProgram,
    serving: Vec<Serving>,
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

impl Kept {
    /// Nothing runs yet.
    pub fn new(program: KeptProgram) -> Kept {
        Kept { program, serving: Vec::new() }
    }

    /// Lets a copy serve a connection. `None`: the program has to be run.
    pub fn call(&mut self, call: &Call) -> Option<Begun> {
        let copy = self.program.keep_and_call(|| Ok(()), call)?;
        let pid = copy.pid();
        // Whoever takes a connection has ended the last one, and has told so if that was possible.
        let unheard = Ended::Exited(Exit::TEMPORARY.0);
        let earlier = self.position(pid).map(|at| self.serving.swap_remove(at).told().unwrap_or(unheard));
        self.serving.push(Serving { pid, copy: Some(copy) });
        Some(Begun { pid, earlier })
    }

    /// Descriptors that can be read when a connection has ended.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.serving.iter().filter_map(|serving| Some(serving.copy.as_ref()?.as_fd()))
    }

    /// Connections that have ended, by the number of the copy.
    pub fn take_ended(&mut self) -> Vec<(Pid, Ended)> {
        let descriptors: Vec<_> = self.descriptors().map(|descriptor| (descriptor, Interest::Read)).collect();
        if descriptors.is_empty() {
            return Vec::new();
        }
        let Ok(ready) = poll::wait(&descriptors, Some(Duration::ZERO)) else { return Vec::new() };
        let mut ready = ready.into_iter();
        let mut ended = Vec::new();
        self.serving.retain_mut(|serving| {
            if serving.copy.is_none() || ready.next() != Some(true) {
                return true;
            }
            let told = serving.told();
            serving.copy = None;
            ended.extend(told.map(|how| (serving.pid, how)));
            told.is_none()
        });
        ended
    }

    /// A child of ours has died so. How the connection ended that it had, if it had one.
    pub fn died(&mut self, pid: Pid, ended: Ended) -> Option<Ended> {
        // Only forgets it.
        let _ = self.program.was_server(pid);
        self.position(pid).map(|at| self.serving.swap_remove(at).told().unwrap_or(ended))
    }

    fn position(&self, pid: Pid) -> Option<usize> {
        self.serving.iter().position(|serving| serving.pid == pid)
    }
}

impl Serving {
    fn told(&self) -> Option<Ended> {
        self.copy.as_ref()?.told().map(Ended::Exited)
    }
}
