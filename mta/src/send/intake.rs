//! New mail: looking into todo when the trigger was pulled, and every 25 minutes in any case.

use super::channel::Channel;
use super::cleaner::{Answer, Cleaner};
use super::log::Log;
use super::preprocess::{self, Synced};
use super::route::Routing;
use super::syncing::Syncing;
use crate::queue::layout::{Kind, MessageNumber};
use crate::queue::trigger::Trigger;
use std::fs::{self, ReadDir};
use std::os::fd::BorrowedFd;
use std::path::Path;

/// Seconds from one look to the next if nobody pulls the trigger.
const INTERVAL: i64 = 1500;
/// Messages that are prepared together.
const BATCH: usize = 64;
/// The look into todo that is under way, if any, and the time of the next one.
pub struct Intake {
    trigger: Trigger,
    next_look: i64,
    entries: Option<ReadDir>,
    syncing: Option<Syncing>,
}

/// A message that is ready for delivery, with the channels on which it has recipients.
pub type Ready = (MessageNumber, Vec<Channel>);

impl Intake {
    /// The first look is due at once.
    pub fn new(steady: i64) -> Intake {
        Intake { trigger: Trigger::arm(), next_look: steady, entries: None, syncing: None }
    }

    /// What to wait for: the trigger, if nothing is under way.
    pub fn trigger(&self) -> Option<BorrowedFd<'_>> {
        self.trigger.descriptor().filter(|_| self.syncing.is_none() && self.entries.is_none())
    }

    /// What else: the batch that is on its way to the disk.
    pub fn batch(&self) -> Option<BorrowedFd<'_>> {
        self.syncing.as_ref()?.descriptor()
    }

    /// When there is something to do although nobody pulls the trigger. Nothing, while a batch waits for the disk.
    pub fn next_due(&self, steady: i64) -> Option<i64> {
        match &self.syncing {
            Some(Syncing::Running { .. }) => None,
            Some(Syncing::Over(_)) => Some(steady),
            None if self.entries.is_some() => Some(steady),
            None => Some(self.next_look),
        }
    }

    /// Waits for the batch that is on its way to the disk: nobody may fork meanwhile.
    pub fn wait(&mut self) {
        self.syncing = self.syncing.take().map(Syncing::wait);
    }

    /// Takes a batch that is on disk, and then prepares the next one, if the trigger was pulled, the time has come, or a look is under
    /// way.
    pub fn step(
        &mut self,
        pulled: bool,
        steady: i64,
        routing: &Routing,
        cleaner: &mut Cleaner,
        log: &mut Log,
    ) -> Vec<Ready> {
        let ready = match self.syncing.take_if(|syncing| syncing.is_over()) {
            Some(syncing) => take(syncing.finish(), cleaner, log),
            None => Vec::new(),
        };
        if self.syncing.is_none() {
            if self.entries.is_none() && (pulled || steady >= self.next_look) {
                self.begin_look(steady, log);
            }
            let batch = self.next_batch();
            let prepare = |message| preprocess::prepare(message, routing, log);
            let prepared: Vec<_> = batch.into_iter().filter_map(prepare).collect();
            self.syncing = (!prepared.is_empty()).then(|| Syncing::begin(prepared));
        }
        ready
    }

    fn begin_look(&mut self, steady: i64, log: &mut Log) {
        self.next_look = steady.saturating_add(INTERVAL);
        self.trigger.rearm();
        match fs::read_dir(Path::new(Kind::Todo.directory())) {
            Ok(entries) => self.entries = Some(entries),
            Err(_) => {
                log.alert("unable to opendir todo, sleeping...");
                self.next_look = steady.saturating_add(10);
            }
        }
    }

    fn next_batch(&mut self) -> Vec<MessageNumber> {
        let mut batch = Vec::new();
        let Some(entries) = &mut self.entries else { return batch };
        while batch.len() < BATCH {
            match entries.next() {
                Some(Ok(entry)) => batch.extend(MessageNumber::parse(entry.file_name().as_encoded_bytes())),
                Some(Err(_)) | None => {
                    self.entries = None;
                    break;
                }
            }
        }
        batch
    }
}

/// Takes messages that are on disk out of todo.
fn take(synced: Synced, cleaner: &mut Cleaner, log: &mut Log) -> Vec<Ready> {
    for name in &synced.unsafe_names {
        log.warning(format!("trouble fsyncing {name}"));
    }
    let messages: Vec<MessageNumber> = synced.safe.iter().map(|prepared| prepared.message).collect();
    let mut ready = Vec::with_capacity(messages.len());
    for (prepared, answer) in synced.safe.into_iter().zip(cleaner.remove_todo(&messages)) {
        match answer {
            Answer::Done => ready.push((prepared.message, prepared.channels)),
            // It is still in todo and will be prepared again.
            Answer::Failed => {
                let name = Kind::Todo.name(prepared.message);
                log.warning(format!("qmail-clean unable to clean up {name}"));
            }
            Answer::Lost => {}
        }
    }
    ready
}
