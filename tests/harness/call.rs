//! One call of a program, from arguments and input to exit status and output.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// A call that is being put together.
pub struct Call {
    command: Command,
    input: Vec<u8>,
    input_file: Option<File>,
}

/// What a call left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The exit status; 1000 plus the number if a signal ended it.
    pub code: i32,
    /// Standard output.
    pub out: Vec<u8>,
    /// Standard error.
    pub err: Vec<u8>,
}

impl Call {
    /// Calls one of our programs by name.
    pub fn ours(name: &str) -> Call {
        Call::path(&crate::program(name))
    }

    /// Calls a program by its path.
    pub fn path(path: &Path) -> Call {
        Call { command: Command::new(path), input: Vec::new(), input_file: None }
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Call {
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Call {
        self.command.args(arguments);
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Call {
        self.command.env(name, value);
        self
    }

    /// Starts from an empty environment.
    pub fn env_clear(mut self) -> Call {
        self.command.env_clear();
        self
    }

    /// Sets the working directory.
    pub fn within(mut self, directory: &Path) -> Call {
        self.command.current_dir(directory);
        self
    }

    /// Gives the bytes that standard input consists of; without them it is empty.
    pub fn input(mut self, bytes: impl AsRef<[u8]>) -> Call {
        self.input = bytes.as_ref().to_vec();
        self
    }

    /// Gives standard input as a file, which the program may read more than once.
    pub fn input_file(mut self, bytes: impl AsRef<[u8]>) -> Call {
        let mut file = tempfile::tempfile().expect("a file for standard input");
        file.write_all(bytes.as_ref()).and_then(|()| file.rewind()).expect("its contents");
        self.input_file = Some(file);
        self
    }

    /// The command as it is, for what this type does not offer.
    pub fn command(&mut self) -> &mut Command {
        &mut self.command
    }

    /// Runs it to its end.
    pub fn run(mut self) -> Outcome {
        let stdin = self.input_file.take().map_or_else(Stdio::piped, Stdio::from);
        self.command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        crate::running::answer_signals();
        let mut child = self.command.spawn().unwrap_or_else(|error| panic!("{:?}: {error}", self.command));
        let stdin = child.stdin.take();
        let input = self.input;
        // A program that does not read its input closes the pipe; that is its right.
        let writer = std::thread::spawn(move || drop(stdin.map(|mut pipe| pipe.write_all(&input))));
        let mut stderr = child.stderr.take().expect("a piped standard error");
        let errors = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            stderr.read_to_end(&mut bytes).map(|_| bytes)
        });
        let mut out = Vec::new();
        child.stdout.take().expect("a piped standard output").read_to_end(&mut out).expect("standard output");
        let err = errors.join().expect("the reader of standard error").expect("standard error");
        let status = child.wait().expect("the program's end");
        writer.join().expect("the writer of standard input");
        let code = status.code().unwrap_or_else(|| 1000 + status.signal().unwrap_or(0));
        Outcome { code, out, err }
    }
}

impl Outcome {
    /// Standard output as text.
    pub fn out_text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    /// Standard error as text.
    pub fn err_text(&self) -> String {
        String::from_utf8_lossy(&self.err).into_owned()
    }
}
