//! A program that runs beside the test and is gone when the test is.

use std::process::{Child, Command};
use std::sync::Once;
use unix::signal::Signal;

/// A running program, killed when dropped.
pub struct Running {
    child: Child,
}

impl Running {
    /// Starts it.
    pub fn start(command: &mut Command) -> Running {
        answer_signals();
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Running { child }
    }

    /// Its process number.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a process number")
    }

    /// The child itself, for its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        unix::process::kill(unix::process::Pid::from_raw(self.pid()), signal).expect("a process to signal");
    }

    /// Waits for its end; the exit status, or 1000 plus the number of the signal that ended it.
    pub fn wait(&mut self) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        let status = self.child.wait().expect("the program's end");
        status.code().unwrap_or_else(|| 1000 + status.signal().unwrap_or(0))
    }

    /// Whether it has not ended yet.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

/// What tests start answers the signals that nohup, or a shell that runs the tests in the background, ignores.
pub(crate) fn answer_signals() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT].into_iter().for_each(unix::signal::default)
    });
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
