//! Command lines of POP3: a verb and an argument. RFC 1939 §3.

use crate::server::connection::{Connection, Lost};
use crate::server::line::{Line, LineReader};

/// What a client said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The verb in small letters, and what follows it and its spaces, as it stands.
    Words(Vec<u8>, Vec<u8>),
    /// A line that is too long, or has a NUL in it, which ends the words of some programs.
    Unusable,
}

impl Command {
    /// Reads one line. The verb ends at the first space (a tab is not one).
    pub fn parse(line: Line) -> Command {
        let Line::Complete(line) = line else { return Command::Unusable };
        if line.contains(&0) {
            return Command::Unusable;
        }
        let (verb, rest) = line.split_at(memchr::memchr(b' ', &line).unwrap_or(line.len()));
        let blanks = rest.iter().take_while(|byte| **byte == b' ').count();
        Command::Words(verb.to_ascii_lowercase(), rest.get(blanks..).unwrap_or_default().to_vec())
    }

    /// Reads the next command of a client; before that all replies leave.
    pub fn read(connection: &mut Connection) -> Result<Command, Lost> {
        let deadline = connection.command_deadline();
        let mut reader = LineReader::default();
        loop {
            let (used, line) = reader.feed(connection.bytes(deadline)?);
            connection.consume(used);
            if let Some(line) = line {
                return Ok(Command::parse(line));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &[u8]) -> Command {
        Command::parse(Line::Complete(line.to_vec()))
    }

    #[test]
    fn the_verb_ends_at_the_first_space_and_the_argument_keeps_its_end() {
        assert_eq!(parse(b"PaSS  two words "), Command::Words(b"pass".to_vec(), b"two words ".to_vec()));
        assert_eq!(parse(b"STAT"), Command::Words(b"stat".to_vec(), Vec::new()));
        assert_eq!(parse(b"LIST\t1"), Command::Words(b"list\t1".to_vec(), Vec::new()));
    }

    #[test]
    fn a_nul_makes_no_second_word_of_a_login() {
        assert_eq!(parse(b"USER joe\0secret"), Command::Unusable);
        assert_eq!(Command::parse(Line::TooLong), Command::Unusable);
    }
}
