//! `preline` feeds the message to a program, behind the lines that a mailbox would have before it.
//!
//! Reads    fd 0: the message; UFLINE, RPLINE and DTLINE, which qmail-local sets.
//! Writes   the standard input of the program.
//! Runs as  the owner of the `.qmail` file.       Trusts  its arguments.
//! Exits    with the program's status · 100 called wrongly, or no such program · 111 try again.
//! Manual   preline(1).

use unix::descriptor;
use unix::exec::Search;
use unix::failure::{self, Failure};
use unix::feed::{self, Trouble};
use unix::process::Ended;
use unix::program::{Exit, Invocation};

const USAGE: &str = "preline [ -frdFRD ] cmd [ arg ... ]";

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let (lines, command) = parse(invocation)?;
    run(invocation, &lines, command)
}

/// Runs a program with these lines and then the message on its standard input, and takes its status.
pub(super) fn run(invocation: &Invocation, lines: &[u8], command: &[Vec<u8>]) -> Result<Exit, Failure> {
    let program = feed::Program {
        words: command,
        environment: &invocation.environment(),
        search: Search::PathOrShell,
        not_run: &|error| {
            let failure = not_run(command, &error);
            failure.report(invocation.name);
            failure.exit().0
        },
    };
    match feed::feed(&program, lines, &mut descriptor::input()) {
        Ok(Ended::Exited(code)) => Ok(Exit(code)),
        Ok(Ended::Killed { .. }) => Err(Failure::temporary("child crashed")),
        Err(Trouble::Pipe(error)) => Err(Failure::temporary("unable to create pipe").because(&error)),
        Err(Trouble::Fork(error)) => Err(Failure::temporary("unable to fork").because(&error)),
        Err(Trouble::Input(error)) => Err(Failure::temporary("unable to copy input").because(&error)),
        Err(Trouble::Wait(error)) => Err(Failure::temporary("wait failed").because(&error)),
    }
}

/// The lines that go before the message, and the program with its arguments.
fn parse(invocation: &Invocation) -> Result<(Vec<u8>, &[Vec<u8>]), Failure> {
    let (mut from, mut return_path, mut delivered_to) = (true, true, true);
    let mut options = invocation.options("frdFRD");
    while let Some(option) = options.next_option().map_err(|error| error.with_usage(USAGE))? {
        let wanted = option.letter.is_ascii_uppercase();
        match option.letter.to_ascii_lowercase() {
            b'f' => from = wanted,
            b'r' => return_path = wanted,
            _ => delivered_to = wanted,
        }
    }
    let command = options.operands();
    let environment = invocation.environment();
    let variables = ["UFLINE", "RPLINE", "DTLINE"].map(|name| environment.get(name));
    let [Some(from_line), Some(return_path_line), Some(delivered_to_line)] = variables else {
        return Err(Failure::usage(USAGE));
    };
    if command.is_empty() {
        return Err(Failure::usage(USAGE));
    }
    let lines = [(from, from_line), (return_path, return_path_line), (delivered_to, delivered_to_line)];
    let wanted: Vec<&[u8]> = lines.into_iter().filter_map(|(wanted, line)| wanted.then_some(line)).collect();
    Ok((wanted.concat(), command))
}

fn not_run(command: &[Vec<u8>], error: &std::io::Error) -> Failure {
    let text = [&b"unable to run "[..], command.first().map_or(&b""[..], Vec::as_slice)].concat();
    let failure =
        if failure::is_temporary(error) { Failure::temporary(text) } else { Failure::permanent(text) };
    failure.because(error)
}
