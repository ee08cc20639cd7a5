//! A program that is called again and again, by a server for as long as it can be one.

use super::{Call, Copy, ForkServer, Mark};
use crate::process::Pid;
use nix::errno::Errno;
use std::io;
use std::path::{Path, PathBuf};

/// A program in a file, and its server if there is one.
pub struct KeptProgram {
    file: PathBuf,
    server: Option<ForkServer>,
    /// Servers that nobody has waited for.
    started: Vec<Pid>,
    /// The file, as it was when it turned out that it cannot be a server.
    cannot: Option<Mark>,
}

impl KeptProgram {
    /// Nothing is started yet.
    pub fn new(file: PathBuf) -> KeptProgram {
        KeptProgram { file, server: None, started: Vec::new(), cannot: None }
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Sees to it that there is a server, and that it runs what the file has now. `prepare` runs in a new server's process
    /// before it becomes the program.
    pub fn keep(&mut self, prepare: impl FnOnce() -> io::Result<()>) {
        if self.server.as_ref().is_some_and(ForkServer::is_current) {
            return;
        }
        self.server = None;
        let Ok(mark) = Mark::of(&self.file) else { return };
        if self.cannot == Some(mark) {
            return;
        }
        match ForkServer::start(&self.file, prepare) {
            Ok(server) => {
                self.started.push(server.pid());
                self.server = Some(server);
            }
            Err(error) if error.raw_os_error() == Some(Errno::EPROTO as i32) => self.cannot = Some(mark),
            // No process or descriptor for the moment.
            Err(_) => {}
        }
    }

    /// Whether this child of ours, which has ended, was a server.
    pub fn was_server(&mut self, pid: Pid) -> bool {
        let at = self.started.iter().position(|started| *started == pid);
        at.map(|at| self.started.swap_remove(at)).is_some()
    }

    /// Sees to it that there is a server, as [`keep`](KeptProgram::keep) does, and calls the program. `None`: it is to be run as ever.
    pub fn keep_and_call(&mut self, prepare: impl FnOnce() -> io::Result<()>, call: &Call) -> Option<Copy> {
        self.keep(prepare);
        self.server.as_ref()?.call(call).ok()
    }

    /// Calls the program, if there is a server, kept by whoever this process is a copy of, that runs what the file has now.
    pub fn call_if_kept(&self, call: &Call) -> Option<Copy> {
        self.server.as_ref().filter(|server| server.is_current())?.call(call).ok()
    }
}
