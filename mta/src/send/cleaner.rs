//! The connection to qmail-clean, which removes files that qmail-send may not.
//!
//! qmail-clean answers each command with one byte, in turn. Nobody has to wait for the answer about a message that is
//! finished: its number is free only when the file is gone.

use crate::queue::layout::MessageNumber;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;
use unix::poll::{self, Interest};

/// Commands without an answer, at most. What a qmail-send that is killed leaves behind in the pipe is carried out all the same, and should
/// be over before the next one looks around.
const MOST_UNANSWERED: usize = 32;

/// A living qmail-clean, or what is left of one.
pub struct Cleaner {
    commands: File,
    answers: File,
    alive: bool,
    /// Messages whose removal was not answered yet.
    unanswered: VecDeque<MessageNumber>,
    /// Messages whose files are still there, and nobody was told.
    failed: Vec<MessageNumber>,
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
        let (commands, answers) = (File::from(commands), File::from(answers));
        Cleaner { commands, answers, alive: true, unanswered: VecDeque::new(), failed: Vec::new() }
    }

    /// Whether it is still there.
    pub fn is_alive(&self) -> bool {
        self.alive
    }

    /// What to wait for to hear its answers, or that it is gone.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.alive.then(|| self.answers.as_fd())
    }

    /// Takes the answers that are there. If there are more than commands, or an end, qmail-clean is lost.
    pub fn check(&mut self) {
        while self.speaks() {
            if self.unanswered.is_empty() {
                self.alive = false;
            } else {
                self.take_answers_down_to(self.unanswered.len().saturating_sub(1));
            }
        }
    }

    fn speaks(&self) -> bool {
        let can_be_read = |descriptor| poll::wait_one(descriptor, Interest::Read, Some(Duration::ZERO));
        self.descriptor().is_some_and(|descriptor| can_be_read(descriptor).unwrap_or(false))
    }

    /// Waits for the answers that are still missing.
    pub fn finish(&mut self) {
        self.take_answers_down_to(0);
    }

    /// Messages that were to be removed and were not, of which this has not told before.
    pub fn take_failed(&mut self) -> Vec<MessageNumber> {
        std::mem::take(&mut self.failed)
    }

    /// Removes intd and todo of messages that are preprocessed; the answers in the same order.
    pub fn remove_todo(&mut self, messages: &[MessageNumber]) -> Vec<Answer> {
        self.take_answers_down_to(0);
        let answers = messages.chunks(MOST_UNANSWERED).flat_map(|messages| {
            let commands: String = messages.iter().map(|message| format!("todo/{message}\0")).collect();
            self.say(&commands);
            messages.iter().map(|_| self.answer()).collect::<Vec<_>>()
        });
        answers.collect()
    }

    /// Removes intd and mess of a message that is stray, and waits for the answer.
    pub fn remove_stray(&mut self, message: MessageNumber) -> Answer {
        self.take_answers_down_to(0);
        self.say(&foop(message));
        self.answer()
    }

    /// Removes intd and mess of a message that is finished, sooner or later: [`take_failed`](Cleaner::take_failed).
    pub fn remove_message(&mut self, message: MessageNumber) {
        self.say(&foop(message));
        self.unanswered.push_back(message);
        if self.unanswered.len() > MOST_UNANSWERED {
            self.take_answers_down_to(0);
        }
    }

    fn take_answers_down_to(&mut self, unanswered: usize) {
        while self.unanswered.len() > unanswered
            && let Some(message) = self.unanswered.pop_front()
        {
            if self.answer() == Answer::Failed {
                self.failed.push(message);
            }
        }
    }

    fn say(&mut self, commands: &str) {
        self.alive = self.alive && self.commands.write_all(commands.as_bytes()).is_ok();
    }

    fn answer(&mut self) -> Answer {
        if !self.alive {
            return Answer::Lost;
        }
        match self.next_byte() {
            Ok(b'+') => Answer::Done,
            Ok(_) => Answer::Failed,
            Err(_) => {
                self.alive = false;
                Answer::Lost
            }
        }
    }

    fn next_byte(&mut self) -> io::Result<u8> {
        let mut answer = [0];
        self.answers.read_exact(&mut answer)?;
        let [answer] = answer;
        Ok(answer)
    }
}

fn foop(message: MessageNumber) -> String {
    format!("foop/{message}\0")
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

    #[test]
    fn answers_belong_to_their_commands_whenever_they_come() {
        let (mut questions, commands) = std::io::pipe().unwrap();
        let (answers, mut says) = std::io::pipe().unwrap();
        let mut cleaner = Cleaner::connect(commands.into(), answers.into());
        for number in [1, 2, 3] {
            cleaner.remove_message(MessageNumber(number));
        }
        says.write_all(b"+!").unwrap();
        cleaner.check();
        assert_eq!(cleaner.take_failed(), [MessageNumber(2)]);
        // The third removal is answered before those of todo are.
        says.write_all(b"!+!").unwrap();
        let answers = cleaner.remove_todo(&[MessageNumber(4), MessageNumber(5)]);
        assert_eq!(answers, [Answer::Done, Answer::Failed]);
        assert_eq!(cleaner.take_failed(), [MessageNumber(3)]);
        let mut heard = [0; 100];
        let length = questions.read(&mut heard).unwrap();
        assert_eq!(heard[..length], *b"foop/1\0foop/2\0foop/3\0todo/4\0todo/5\0");
        // What nobody has asked for is as bad as an end.
        says.write_all(b"+").unwrap();
        cleaner.check();
        assert!(!cleaner.is_alive());
    }
}
