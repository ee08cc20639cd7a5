//! `qmail-clean` removes files from the queue for qmail-send, which may not.
//!
//! Reads    fd 0: commands of qmail-send; control/conf-split.      Writes  fd 1: one byte for each: `+` done, `!` failed, `x` bad command.
//! Runs as  qmailq.   Trusts  qmail-send for message numbers, and for nothing else.
//! Exits    0 at the end of its input · 100 if it cannot answer · 111 if there is no queue.
//! Manual   qmail-clean(8).    Called by: send.

use super::layout::{self, Kind, MessageNumber};
use crate::control::Control;
use crate::setup::home::Home;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::time::{Duration, SystemTime};
use unix::descriptor;
use unix::failure::Failure;
use unix::file;
use unix::program::{Exit, Invocation};
use unix::signal::{self, Signal};

/// Shortest and longest command, with its NUL.
const SHORTEST: usize = 7;
const LONGEST: usize = 100;
/// So often, counted in commands, stray pid files are looked for.
const COMMANDS_BETWEEN_SWEEPS: u32 = 31;
/// No qmail-queue lives that long; it gives up after 24 hours.
const STRAY_AGE: Duration = Duration::from_hours(36);

/// The program's entry.
pub fn main(_: &Invocation) -> Result<Exit, Failure> {
    let home = Home::of_this_program()?;
    layout::use_split_of(&Control::new(home.control()))?;
    std::env::set_current_dir(home.queue()).map_err(|_| Failure::silent(Exit::TEMPORARY))?;
    signal::ignore(Signal::SIGPIPE);
    let mut input = BufReader::new(descriptor::input());
    let mut command = Vec::new();
    for count in 0_u32.. {
        if count % COMMANDS_BETWEEN_SWEEPS == 0 {
            remove_stray_pid_files();
        }
        if !read_command(&mut input, &mut command) {
            break;
        }
        let answer = Command::decode(&command).map_or(b'x', Command::carry_out);
        descriptor::output().write_all(&[answer]).map_err(|_| Failure::silent(Exit::PERMANENT))?;
    }
    Ok(Exit::SUCCESS)
}

/// Reads up to the NUL; false at the end of the input. An unterminated command is dropped.
fn read_command(input: &mut impl BufRead, command: &mut Vec<u8>) -> bool {
    command.clear();
    // One byte beyond the longest shows that it is too long; the rest is passed over.
    let limit = u64::try_from(LONGEST).unwrap_or(u64::MAX).saturating_add(1);
    if !matches!(input.by_ref().take(limit).read_until(0, command), Ok(length) if length > 0) {
        return false;
    }
    command.last() == Some(&0) || (command.len() > LONGEST && skip_until_nul(input).is_ok())
}

fn skip_until_nul(input: &mut impl BufRead) -> io::Result<()> {
    if input.skip_until(0)? == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

/// What qmail-send may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    /// `foop/N`: the message is finished; remove intd, then mess.
    Message(MessageNumber),
    /// `todo/N`: the message is preprocessed; remove intd, then todo.
    Todo(MessageNumber),
}

impl Command {
    /// Reads a command with its NUL. The byte after `todo` is not looked at, as it never was.
    fn decode(command: &[u8]) -> Option<Command> {
        if !(SHORTEST..=LONGEST).contains(&command.len()) {
            return None;
        }
        let (_, number) = command.strip_suffix(b"\0")?.split_at_checked(5)?;
        let number = MessageNumber::parse(number)?;
        match command {
            [b'f', b'o', b'o', b'p', b'/', ..] => Some(Command::Message(number)),
            [b't', b'o', b'd', b'o', ..] => Some(Command::Todo(number)),
            _ => None,
        }
    }

    fn carry_out(self) -> u8 {
        let (number, last) = match self {
            Command::Message(number) => (number, Kind::Mess),
            Command::Todo(number) => (number, Kind::Todo),
        };
        let removed =
            [Kind::Intd, last].into_iter().all(|kind| file::remove_if_present(&kind.path(number)).is_ok());
        if removed { b'+' } else { b'!' }
    }
}

/// Files in pid that a killed qmail-queue left behind. Failure does no harm: there is a next time.
fn remove_stray_pid_files() {
    let Ok(entries) = fs::read_dir(layout::PID) else { return };
    for entry in entries.flatten() {
        let accessed = entry.metadata().and_then(|metadata| metadata.accessed());
        let age = accessed.ok().and_then(|time| SystemTime::now().duration_since(time).ok());
        if age.is_some_and(|age| age >= STRAY_AGE) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_those_of_the_manual() {
        let message = |number| Some(Command::Message(MessageNumber(number)));
        let todo = |number| Some(Command::Todo(MessageNumber(number)));
        assert_eq!(Command::decode(b"foop/12\0"), message(12));
        assert_eq!(Command::decode(b"todo/12\0"), todo(12));
        assert_eq!(Command::decode(b"todoX200\0"), todo(200));
        for bad in [&b"foop/\0"[..], b"foop/1x\0", b"mess/12\0", b"foop/../../etc/passwd\0", b"foop/-1\0"] {
            assert_eq!(Command::decode(bad), None);
        }
    }

    #[test]
    fn an_overlong_command_is_one_bad_command_and_the_next_is_read() {
        let long = [vec![b'1'; 5000], b"\0foop/7\0half".to_vec()].concat();
        let mut input = io::Cursor::new(long);
        let mut command = Vec::new();
        assert!(read_command(&mut input, &mut command));
        assert_eq!(Command::decode(&command), None);
        assert!(read_command(&mut input, &mut command));
        assert_eq!(command, b"foop/7\0");
        assert!(!read_command(&mut input, &mut command));
    }
}
