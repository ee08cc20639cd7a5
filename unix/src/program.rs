//! The frame of every program: name, arguments, entry, one line of failure, exit status.

use crate::environment::Environment;
use crate::failure::Failure;
use crate::fork_server::{Copies, Server};
use crate::options::Options;
use crate::{descriptor, signal};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;

/// An exit status. 0, 100 and 111 mean the same in every program; others are documented with theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit(pub u8);

impl Exit {
    /// It worked, or the answer is yes.
    pub const SUCCESS: Exit = Exit(0);
    /// Trying again cannot help: misuse, a refusal, or the answer is no.
    pub const PERMANENT: Exit = Exit(100);
    /// Trying again later may help: a file, memory, the network, a program that could not be run.
    pub const TEMPORARY: Exit = Exit(111);
}

/// How a program was called.
pub struct Invocation {
    /// The program's own name, which its messages begin with. Not `argv[0]`.
    pub name: &'static str,
    /// The last component of `argv[0]`, which only complaints about options begin with.
    pub called_as: Vec<u8>,
    /// The arguments after `argv[0]`.
    pub arguments: Vec<Vec<u8>>,
}

impl Invocation {
    /// Reads options as `getopt` with this option string would; see [`Options`].
    pub fn options(&self, letters: &'static str) -> Options<'_> {
        Options::new(&self.called_as, &self.arguments, letters)
    }

    /// The environment as it is now.
    pub fn environment(&self) -> Environment {
        Environment::inherited()
    }

    /// Writes `name: warning: text` and a newline to standard error, as one write.
    pub fn warn(&self, text: impl AsRef<[u8]>) {
        descriptor::write_error_line(&[self.name.as_bytes(), b": warning: ", text.as_ref()]);
    }
}

/// The file that this process runs, as the kernel knows it. Empty if it does not say.
pub fn file() -> &'static Path {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| std::fs::read_link("/proc/self/exe").unwrap_or_default())
}

/// What a program's `main` calls: the one place where a process of ours ends on its own account.
///
/// SIGPIPE gets its default action back, which Rust's runtime took away; a program that wants write
/// errors instead calls [`signal::ignore`]. So does SIGCHLD: started by somebody who ignores it, a program
/// would never learn how its own children ended.
pub fn run(name: &'static str, entry: Entry) -> ExitCode {
    ExitCode::from(outcome(name, entry))
}

/// The same for a program that starts by [`lean_program`](crate::lean_program).
pub fn run_lean(name: &'static str, entry: Entry) -> i32 {
    if descriptor::open_standard_ones().is_err() {
        return Exit::TEMPORARY.0.into();
    }
    outcome(name, entry).into()
}

/// Makes a program start without Rust's own preparations, in a file that says `#![no_main]`.
///
/// They keep half a megabyte of the C library in memory, to tell an overflow of the stack from other faults; without them it
/// ends the program all the same. For programs that stay in memory for as long as the machine runs, and for those that are
/// started for each message.
#[macro_export]
macro_rules! lean_program {
    ($name:literal, $entry:path) => {
        // SAFETY: the C library looks for exactly this function, and nothing else of ours has its name.
        #[unsafe(no_mangle)]
        extern "C" fn main() -> i32 {
            $crate::program::run_lean($name, $entry)
        }
    };
}

/// The same for a program that starts by [`copied_program`](crate::copied_program).
pub fn run_copied(name: &'static str, copies: &Copies, entry: Entry) -> i32 {
    if descriptor::open_standard_ones().is_err() {
        return Exit::TEMPORARY.0.into();
    }
    let Some(server) = Server::wanted() else { return outcome(name, entry).into() };
    // Each copy would ask the kernel for it.
    let _ = file();
    server.serve(copies, |arguments| called(name, name.as_bytes().to_vec(), arguments, entry));
    Exit::SUCCESS.0.into()
}

/// Makes a program start as with [`lean_program`](crate::lean_program), and able to be a [fork server](crate::fork_server) whose
/// copies serve one call each, or as many as `calls` says. Such a program comes to its entry several times, and prepares all
/// but descriptors and environment itself: working directory, umask, signals.
///
/// `between`, if there is one, is called by the server before it makes a copy of itself.
#[macro_export]
macro_rules! copied_program {
    ($name:literal, $entry:path) => {
        $crate::copied_program!($name, $entry, calls: 1);
    };
    ($name:literal, $entry:path, calls: $calls:expr) => {
        $crate::copied_program!($name, $entry, calls: $calls, between: || ());
    };
    ($name:literal, $entry:path, calls: $calls:expr, between: $between:expr) => {
        // SAFETY: the C library looks for exactly this function, and nothing else of ours has its name.
        #[unsafe(no_mangle)]
        extern "C" fn main() -> i32 {
            let copies = $crate::fork_server::Copies { between: $between, calls: $calls };
            $crate::program::run_copied($name, &copies, $entry)
        }
    };
}

/// A program's own part.
pub type Entry = fn(&Invocation) -> Result<Exit, Failure>;

fn outcome(name: &'static str, entry: Entry) -> u8 {
    signal::default(signal::Signal::SIGPIPE);
    signal::default(signal::Signal::SIGCHLD);
    let mut words = std::env::args_os().map(OsString::into_vec);
    let argv0 = words.next().unwrap_or_else(|| name.as_bytes().to_vec());
    called(name, argv0, words.collect(), entry)
}

fn called(name: &'static str, argv0: Vec<u8>, arguments: Vec<Vec<u8>>, entry: Entry) -> u8 {
    let called_as = argv0.rsplit(|byte| *byte == b'/').next().unwrap_or(&argv0).to_vec();
    let invocation = Invocation { name, called_as, arguments };
    match entry(&invocation) {
        Ok(Exit(code)) => code,
        Err(failure) => {
            failure.report(name);
            failure.exit().0
        }
    }
}
