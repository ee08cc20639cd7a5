//! Program deliveries: a shell command reads the message and decides with its exit status. qmail-command(8).

use super::agent::Next;
use super::refusal::Refusal;
use unix::environment::Environment;
use unix::exec::{self, Search};
use unix::failure::Failure;
use unix::process::{self, Ended};
use unix::program::Exit;
use unix::signal::{self, Signal};

const SHELL: &[u8] = b"/bin/sh";

/// Runs a command with the message as its standard input, and waits for its verdict.
pub fn run(command: &[u8], environment: &Environment) -> Result<Next, Refusal> {
    let child = process::fork(|| become_shell(command, environment).0).map_err(Refusal::Fork)?;
    match process::wait_for(child) {
        Ok(Ended::Exited(code)) => verdict(code),
        Ok(Ended::Killed { .. }) | Err(_) => Err(Refusal::ProgramCrashed),
    }
}

fn become_shell(command: &[u8], environment: &Environment) -> Exit {
    signal::default(Signal::SIGPIPE);
    signal::default(Signal::SIGXFSZ);
    let words = [SHELL.to_vec(), b"-c".to_vec(), command.to_vec()];
    let failure = Failure::from(Refusal::Shell(exec::exec(&words, environment, Search::Direct)));
    failure.report("");
    failure.exit()
}

/// Whether a program's exit status says that trying again cannot help: qmail's own, and those of sysexits(3)
/// that cannot pass.
pub fn is_permanent(code: u8) -> bool {
    matches!(code, 100 | 64 | 65 | 70 | 76 | 77 | 78 | 112)
}

/// What an exit status asks for.
fn verdict(code: u8) -> Result<Next, Refusal> {
    match code {
        0 => Ok(Next::GoOn),
        99 => Ok(Next::Stop),
        code if is_permanent(code) => Err(Refusal::ProgramRefused),
        _ => Err(Refusal::ProgramDeferred),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_the_verdict_of_the_manual() {
        for code in 0..=255 {
            let exit = verdict(code).err().map(|refusal| refusal.exit());
            let expected = match code {
                0 | 99 => None,
                64 | 65 | 70 | 76..=78 | 100 | 112 => Some(Exit::PERMANENT),
                _ => Some(Exit::TEMPORARY),
            };
            assert_eq!(exit, expected, "{code}");
        }
    }
}
