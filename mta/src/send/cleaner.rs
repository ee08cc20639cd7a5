//! The connection to qmail-clean, which removes files that qmail-send may not.

use crate::queue::layout::MessageNumber;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;

/// A living qmail-clean, or what is left of one.
pub struct Cleaner {
    commands: File,
    answers: File,
    alive: bool,
}

/// What qmail-clean said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The files are gone.
    Done,
    /// They are not.
    Failed,
    /// qmail-clean is gone.
    Lost,
}

impl Cleaner {
    /// Takes over the two descriptors.
    pub fn connect(commands: OwnedFd, answers: OwnedFd) -> Cleaner {
        Cleaner { commands: File::from(commands), answers: File::from(answers), alive: true }
    }

    /// Whether it is still there.
    pub fn is_alive(&self) -> bool {
        self.alive
    }

    /// Removes intd and todo of a message that is preprocessed.
    pub fn remove_todo(&mut self, message: MessageNumber) -> Answer {
        self.ask(&format!("todo/{message}\0"))
    }

    /// Removes intd and mess of a message that is finished, or stray.
    pub fn remove_message(&mut self, message: MessageNumber) -> Answer {
        self.ask(&format!("foop/{message}\0"))
    }

    fn ask(&mut self, command: &str) -> Answer {
        if !self.alive {
            return Answer::Lost;
        }
        match self.exchange(command) {
            Ok(b'+') => Answer::Done,
            Ok(_) => Answer::Failed,
            Err(_) => {
                self.alive = false;
                Answer::Lost
            }
        }
    }

    fn exchange(&mut self, command: &str) -> io::Result<u8> {
        self.commands.write_all(command.as_bytes())?;
        let mut answer = [0];
        self.answers.read_exact(&mut answer)?;
        let [answer] = answer;
        Ok(answer)
    }
}
