//! A process of ours around a program, through which all of its input and output goes.
//!
//! The program keeps the process that was started, so its number and its exit status are the program's.

use super::flow::{self, Flow};
use super::line_ends::Change;
use std::fs::File;
use std::os::fd::AsRawFd;
use unix::descriptor;
use unix::environment::Environment;
use unix::exec::{self, Search};
use unix::failure::Failure;
use unix::process::{self, Pid};
use unix::program::{Exit, Invocation};
use unix::signal::{self, Signal};

/// Becomes the program that the arguments name, with its input and output changed on their way.
///
/// `changes` is given the number of the program's process.
pub(super) fn run<C: Change>(
    invocation: &Invocation,
    usage: &'static str,
    changes: impl FnOnce(Pid) -> (C, C),
) -> Result<Exit, Failure> {
    let words = invocation.arguments.as_slice();
    let name = words.first().ok_or_else(|| Failure::usage(usage))?;
    let pipe =
        || descriptor::pipe().map_err(|error| Failure::temporary("unable to create pipe").because(&error));
    let (input, into) = pipe()?;
    let (out, output) = pipe()?;
    let (change_in, change_out) = changes(process::own_pid());
    let of_program = [input.as_raw_fd(), output.as_raw_fd()];
    let between = || {
        // Only the program may hold these, or its end would never be seen.
        descriptor::close_numbers(of_program);
        signal::ignore(Signal::SIGPIPE);
        let into = Flow::new(descriptor::input(), File::from(into), change_in);
        flow::both_ways(into, Flow::new(File::from(out), descriptor::output(), change_out));
        Exit::SUCCESS.0
    };
    process::fork(between).map_err(|error| Failure::temporary("unable to fork").because(&error))?;
    descriptor::place(&input, 0)
        .and_then(|()| descriptor::place(&output, 1))
        .map_err(|error| Failure::temporary("unable to move descriptors").because(&error))?;
    let error = exec::exec(words, &Environment::inherited(), Search::Path);
    Err(Failure::temporary([&b"unable to run "[..], name].concat()).because(&error))
}
