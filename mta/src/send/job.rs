//! One pass over the recipients of one message on one channel.
//!
//! A job begins when the pass does and ends when the file was read to its end and all deliveries have
//! reported. It is what a pass has decided, and a count of what is still to come.

use super::retry::Plan;

/// A pass that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Envelope sender of the message.
    pub sender: Vec<u8>,
    /// Whether what fails for now is given up.
    pub dying: bool,
    /// When to try again, on the steady clock.
    pub next_attempt: i64,
    /// Deliveries that have not reported.
    running: usize,
    /// Recipients seen in this pass that are not done.
    undone: usize,
    pass: PassState,
    /// What becomes of the recipients that are left, if an administrator ended the message meanwhile.
    ending: Option<Ending>,
}

/// How an administrator ends a message before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The sender is told of the recipients that are left.
    Expire,
    /// Nobody is told.
    Remove,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PassState {
    Reading,
    ReadToEnd,
    /// Reading failed: there may be recipients that the pass did not see.
    Broken,
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No recipient is left on this channel.
    Complete,
    /// Some are left, for the next attempt.
    Again,
}

impl Job {
    /// A job for a pass that begins now. `birth` is the message's, on the steady clock.
    pub fn new(sender: Vec<u8>, birth: i64, plan: Plan) -> Job {
        let next_attempt = birth.saturating_add(plan.next_age);
        let (dying, pass) = (plan.dying, PassState::Reading);
        Job { sender, dying, next_attempt, running: 0, undone: 0, pass, ending: None }
    }

    /// A delivery was started for a recipient.
    pub fn delivery_started(&mut self) {
        self.running = self.running.saturating_add(1);
        self.undone = self.undone.saturating_add(1);
    }

    /// A delivery reported. `done`: its recipient needs no further attempt.
    pub fn delivery_ended(&mut self, done: bool) {
        self.running = self.running.saturating_sub(1);
        if done {
            self.undone = self.undone.saturating_sub(1);
        }
    }

    /// The pass has met a record that is none. It may have been a recipient, so the file must not be removed.
    pub fn unknown_record(&mut self) {
        self.undone = self.undone.saturating_add(1);
    }

    /// The pass has seen all recipients, or, if `broken`, as many as it could.
    pub fn pass_ended(&mut self, broken: bool) {
        self.pass = if broken { PassState::Broken } else { PassState::ReadToEnd };
    }

    /// No further attempts follow this one.
    pub fn end(&mut self, ending: Ending) {
        self.ending = Some(ending);
    }

    /// Whether an administrator ended the message.
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// How the job ended, once it has.
    pub fn outcome(&self) -> Option<Outcome> {
        match self.pass {
            PassState::Reading => None,
            _ if self.running > 0 => None,
            PassState::ReadToEnd if self.undone == 0 => Some(Outcome::Complete),
            _ => Some(Outcome::Again),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Job {
        Job::new(b"s@x".to_vec(), 1000, Plan { next_age: 400, dying: false })
    }

    #[test]
    fn a_job_ends_when_the_file_is_read_and_all_have_reported() {
        let mut job = job();
        assert_eq!(job.next_attempt, 1400);
        job.delivery_started();
        job.delivery_started();
        job.delivery_ended(true);
        job.pass_ended(false);
        assert_eq!(job.outcome(), None);
        job.delivery_ended(true);
        assert_eq!(job.outcome(), Some(Outcome::Complete));
    }

    #[test]
    fn a_recipient_that_is_left_or_unseen_means_another_attempt() {
        let mut left = job();
        left.delivery_started();
        left.pass_ended(false);
        left.delivery_ended(false);
        assert_eq!(left.outcome(), Some(Outcome::Again));
        let mut damaged = job();
        damaged.unknown_record();
        damaged.pass_ended(false);
        assert_eq!(damaged.outcome(), Some(Outcome::Again));
        let mut unseen = job();
        unseen.pass_ended(true);
        assert_eq!(unseen.outcome(), Some(Outcome::Again));
    }
}
