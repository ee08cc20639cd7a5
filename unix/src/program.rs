//! The frame of every program: name, arguments, entry, one line of failure, exit status.

use crate::environment::Environment;
use crate::failure::Failure;
use crate::options::Options;
use crate::{descriptor, signal};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

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

/// What a program's `main` calls: the one place where a process of ours ends on its own account.
///
/// SIGPIPE gets its default action back, which Rust's runtime took away; a program that wants write
/// errors instead calls [`signal::ignore`]. So does SIGCHLD: started by somebody who ignores it, a program
/// would never learn how its own children ended.
pub fn run(name: &'static str, entry: fn(&Invocation) -> Result<Exit, Failure>) -> ExitCode {
    ExitCode::from(outcome(name, entry))
}

/// The same for a program that starts by [`lean_program`](crate::lean_program).
pub fn run_lean(name: &'static str, entry: fn(&Invocation) -> Result<Exit, Failure>) -> i32 {
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

fn outcome(name: &'static str, entry: fn(&Invocation) -> Result<Exit, Failure>) -> u8 {
    signal::default(signal::Signal::SIGPIPE);
    signal::default(signal::Signal::SIGCHLD);
    let mut words = std::env::args_os().map(OsString::into_vec);
    let argv0 = words.next().unwrap_or_else(|| name.as_bytes().to_vec());
    let called_as = argv0.rsplit(|byte| *byte == b'/').next().unwrap_or(&argv0).to_vec();
    let invocation = Invocation { name, called_as, arguments: words.collect() };
    match entry(&invocation) {
        Ok(Exit(code)) => code,
        Err(failure) => {
            failure.report(name);
            failure.exit().0
        }
    }
}
