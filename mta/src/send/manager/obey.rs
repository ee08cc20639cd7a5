//! What an administrator has ordered through qmail-queuectl.
//!
//! An order that is answered "done" is so after a crash as well: a hold is a permission bit of the info file,
//! and waits for the disk before it is answered; an expired message has its bounce record, a removed one no
//! recipients. Only what waits for running deliveries is forgotten in a crash, and the answer says "begun".

use super::Manager;
use crate::queue::layout::{HELD, Kind, MessageNumber};
use crate::queue::queuectl::request::{Action, Answer, Request};
use crate::send::channel::Channel;
use crate::send::deliveries::Left;
use crate::send::job::Ending;
use crate::send::log::Log;
use crate::send::orders::Orders;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use unix::clock::Now;
use unix::file;

/// What became of an order, and the file that has to reach the disk before that is true.
struct Outcome {
    answer: Answer,
    unsynced: Option<File>,
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Outcome {
        Outcome { answer, unsynced: None }
    }
}

impl Manager {
    /// Gives everybody who is connected a turn.
    pub(super) fn take_orders(&mut self, now: Now, log: &mut Log) {
        let mut orders = std::mem::replace(&mut self.orders, Orders::none());
        orders.step(&mut |requests| self.carry_out(requests, now, log));
        self.orders = orders;
    }

    /// Carries out the orders of one turn. What they changed goes to the disk together.
    fn carry_out(&mut self, requests: &[Request], now: Now, log: &mut Log) -> Vec<Answer> {
        let outcomes: Vec<Outcome> = requests
            .iter()
            .map(|request| {
                let outcome = self.obey(request, now, log).unwrap_or_else(|_| Answer::Trouble.into());
                if matches!(outcome.answer, Answer::Done | Answer::Begun) {
                    log.order(request);
                }
                outcome
            })
            .collect();
        outcomes.iter().map(synced).collect()
    }

    fn obey(&mut self, request: &Request, now: Now, log: &mut Log) -> io::Result<Outcome> {
        let message = request.message;
        // What is in todo is prepared from the start, and would forget what it was told.
        if Kind::Todo.is_there(message)? {
            return Ok(Answer::NotYet.into());
        }
        if !Kind::Info.is_there(message)? {
            return Ok(Answer::Gone.into());
        }
        let is_held = self.shared.held.contains(&message);
        match request.action {
            Action::Hold => self.hold(message, now, log),
            Action::Release => self.release(message, now),
            Action::Retry | Action::Expire if is_held => Ok(Answer::Held.into()),
            Action::Retry => Ok(self.retry(message, now).into()),
            Action::Expire => Ok(self.end(message, Ending::Expire, now, log).into()),
            Action::Remove => Ok(self.end(message, Ending::Remove, now, log).into()),
            Action::Load => Ok(self.learn(message, now)),
        }
    }

    /// A message that somebody has put into info while we run. One that is known is left as it is.
    fn learn(&mut self, message: MessageNumber, now: Now) -> Outcome {
        let loaded = if self.shared.births.knows(message) { Ok(()) } else { self.try_load(message, now) };
        loaded.map_or(Answer::Trouble, |()| Answer::Done).into()
    }

    fn hold(&mut self, message: MessageNumber, now: Now, log: &mut Log) -> io::Result<Outcome> {
        let info = set_held(message, true)?;
        self.shared.held.insert(message);
        let mut running = false;
        for channel in Channel::ALL {
            running |= self.deliveries.get_mut(channel).hold(message, now, &self.shared, log);
        }
        let answer = if running { Answer::Begun } else { Answer::Done };
        Ok(Outcome { answer, unsynced: Some(info) })
    }

    fn release(&mut self, message: MessageNumber, now: Now) -> io::Result<Outcome> {
        let info = set_held(message, false)?;
        self.shared.held.remove(&message);
        for channel in Channel::ALL {
            self.deliveries.get_mut(channel).release(message, now);
        }
        Ok(Outcome { answer: Answer::Done, unsynced: Some(info) })
    }

    fn retry(&mut self, message: MessageNumber, now: Now) -> Answer {
        let mut waited = self.finished.make_due(now.steady, message);
        waited |= self.unread.make_due(now.steady, message);
        for channel in Channel::ALL {
            waited |= self.deliveries.get_mut(channel).schedule().make_due(now.steady, message);
        }
        // What does not wait is being delivered.
        if waited { Answer::Done } else { Answer::Begun }
    }

    fn end(&mut self, message: MessageNumber, ending: Ending, now: Now, log: &mut Log) -> Answer {
        if ending == Ending::Remove {
            self.removed.insert(message);
        }
        let left = Channel::ALL
            .map(|channel| self.deliveries.get_mut(channel).end(message, ending, now, &self.shared, log));
        if left.contains(&Left::Everything) {
            self.removed.remove(&message);
            return Answer::Trouble;
        }
        if left.contains(&Left::RunningDeliveries) {
            return Answer::Begun;
        }
        self.finished.push(now.steady, message);
        Answer::Done
    }
}

/// Sets or clears the mark of a held message, and gives the file, which is not on disk yet.
fn set_held(message: MessageNumber, held: bool) -> io::Result<File> {
    let info = file::open_read(&Kind::Info.path(message))?;
    let mode = info.metadata()?.mode() & 0o7777;
    let wanted = if held { mode | HELD } else { mode & !HELD };
    info.set_permissions(Permissions::from_mode(wanted))?;
    Ok(info)
}

fn synced(outcome: &Outcome) -> Answer {
    match &outcome.unsynced {
        Some(file) if file.sync_all().is_err() => Answer::Trouble,
        _ => outcome.answer,
    }
}
