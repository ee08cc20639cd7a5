//! Running a program whose standard input we write.

use crate::descriptor;
use crate::environment::Environment;
use crate::exec::{self, Search};
use crate::process::{self, Ended, Pid};
use crate::signal::{self, Signal};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};

/// Why a program did not get its input to the end, or did not run.
#[derive(Debug)]
pub enum Trouble {
    /// No pipe could be had.
    Pipe(io::Error),
    /// No process could be had.
    Fork(io::Error),
    /// The input could not be read or passed on. The program was killed: the part that it had is not all of it.
    Input(io::Error),
    /// How the program ended cannot be learned.
    Wait(io::Error),
}

/// A program that is to be run.
pub struct Program<'a> {
    /// Its name and arguments.
    pub words: &'a [Vec<u8>],
    /// What it is run with.
    pub environment: &'a Environment,
    /// How its name is looked up.
    pub search: Search,
    /// Called in the child if it cannot be run: the child's exit status.
    pub not_run: &'a dyn Fn(io::Error) -> u8,
}

/// Runs a program with `beginning` and then `input` as its standard input, and waits for its end.
///
/// A program that stops reading has seen enough; that is no trouble. SIGPIPE is ignored from here on.
///
/// # Errors
/// See [`Trouble`].
pub fn feed(program: &Program<'_>, beginning: &[u8], input: &mut impl Read) -> Result<Ended, Trouble> {
    signal::ignore(Signal::SIGPIPE);
    let (reader, writer) = descriptor::pipe().map_err(Trouble::Pipe)?;
    let child = process::fork(|| program.become_it(&reader)).map_err(Trouble::Fork)?;
    drop(reader);
    let mut pipe = File::from(writer);
    let fed = pipe.write_all(beginning).and_then(|()| io::copy(input, &mut pipe));
    match fed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            // Before the pipe is closed: the end of the input would tell it that it has everything.
            stop(child);
            drop(pipe);
            Err(Trouble::Input(error))
        }
        _ => {
            drop(pipe);
            process::wait_for(child).map_err(Trouble::Wait)
        }
    }
}

impl Program<'_> {
    fn become_it(&self, input: &OwnedFd) -> u8 {
        if let Err(error) = descriptor::place(input.as_fd(), 0) {
            return (self.not_run)(error);
        }
        signal::default(Signal::SIGPIPE);
        (self.not_run)(exec::exec(self.words, self.environment, self.search))
    }
}

fn stop(child: Pid) {
    // It is ours and not waited for, so the number is still its.
    let _ = process::kill(child, Signal::SIGKILL);
    let _ = process::wait_for(child);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str, input: &mut impl Read) -> Result<Ended, Trouble> {
        let words = [b"sh".to_vec(), b"-c".to_vec(), script.as_bytes().to_vec()];
        let environment = Environment::inherited();
        let program =
            Program { words: &words, environment: &environment, search: Search::Path, not_run: &|_| 99 };
        feed(&program, b"first\n", input)
    }

    #[test]
    fn a_program_reads_the_beginning_and_then_the_input() {
        let ended = run("[ \"$(cat)\" = 'first\nsecond' ]", &mut &b"second\n"[..]).unwrap();
        assert_eq!(ended, Ended::Exited(0));
    }

    #[test]
    fn a_program_that_reads_nothing_ends_as_it_likes() {
        let ended = run("exit 7", &mut io::repeat(b'x').take(1 << 20)).unwrap();
        assert_eq!(ended, Ended::Exited(7));
    }

    struct Broken;

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::Other.into())
        }
    }

    #[test]
    fn a_program_whose_input_breaks_off_never_sees_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let seen = directory.path().join("seen");
        let trouble = run(&format!("cat >/dev/null; : > {}", seen.display()), &mut Broken);
        assert!(matches!(trouble, Err(Trouble::Input(_))));
        assert!(!seen.exists());
    }
}
