//! The connection to qmail-clean, which removes files that qmail-send may not.

use crate::queue::layout::MessageNumber;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;
use unix::poll::{self, Interest};

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

    /// What to wait for to learn that it is gone: between two questions it says nothing.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.alive.then(|| self.answers.as_fd())
    }

    /// Finds out whether it went away, or says what nobody asked for, which is as bad.
    pub fn check(&mut self) {
        let speaks = |descriptor| poll::wait_one(descriptor, Interest::Read, Some(Duration::ZERO));
        if self.descriptor().is_some_and(|descriptor| speaks(descriptor).unwrap_or(false)) {
            self.alive = false;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_qmail_clean_is_noticed_between_two_questions() {
        let (_questions, commands) = unix::descriptor::pipe().unwrap();
        let (answers, cleaner_output) = unix::descriptor::pipe().unwrap();
        let mut cleaner = Cleaner::connect(commands, answers);
        cleaner.check();
        assert!(cleaner.is_alive());
        drop(cleaner_output);
        cleaner.check();
        assert!(!cleaner.is_alive() && cleaner.descriptor().is_none());
    }
}
