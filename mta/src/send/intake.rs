//! New mail: looking into todo when the trigger was pulled, and every 25 minutes in any case.

use super::channel::Channel;
use super::cleaner::{Answer, Cleaner};
use super::log::Log;
use super::preprocess;
use super::route::Routing;
use crate::queue::layout::{Kind, MessageNumber};
use crate::queue::trigger::Trigger;
use std::fs::{self, ReadDir};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// Seconds from one look to the next if nobody pulls the trigger.
const INTERVAL: i64 = 1500;
/// Messages that are prepared together before deliveries get their turn again.
const BATCH: usize = 64;
/// How long deliveries have their turn at most. They may all be slow, and new mail must not wait for them.
const LONGEST_REST: Duration = Duration::from_millis(100);

/// The look into todo that is under way, if any, and the time of the next one.
pub struct Intake {
    trigger: Trigger,
    next_look: i64,
    entries: Option<ReadDir>,
    rest: Rest,
}

/// The turn of deliveries after a batch of new mail: as many as there were messages.
///
/// A batch takes as long as the disk does, and deliveries that end meanwhile are not followed by others. Were one batch
/// followed by the next, a stream of new mail would let deliveries happen only in between.
struct Rest {
    owed: usize,
    until: Instant,
}

impl Rest {
    fn after(batch: usize) -> Rest {
        let now = Instant::now();
        Rest { owed: batch, until: now.checked_add(LONGEST_REST).unwrap_or(now) }
    }

    /// How long it still takes if no delivery ends.
    fn left(&self) -> Option<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        (self.owed > 0 && !left.is_zero()).then_some(left)
    }
}

/// A message that is ready for delivery, with the channels on which it has recipients.
pub type Ready = (MessageNumber, Vec<Channel>);

impl Intake {
    /// The first look is due at once.
    pub fn new(steady: i64) -> Intake {
        Intake { trigger: Trigger::arm(), next_look: steady, entries: None, rest: Rest::after(0) }
    }

    /// What to wait for.
    pub fn trigger(&self) -> Option<BorrowedFd<'_>> {
        self.trigger.descriptor()
    }

    /// When there is something to do although nobody pulls the trigger.
    pub fn next_due(&self, steady: i64) -> i64 {
        if self.entries.is_some() { steady } else { self.next_look }
    }

    /// Deliveries have ended.
    pub fn deliveries_ended(&mut self, count: usize) {
        self.rest.owed = self.rest.owed.saturating_sub(count);
    }

    /// How long new mail has to wait, at most, if there are deliveries that wait for others to end.
    pub fn rest(&self) -> Option<Duration> {
        self.rest.left()
    }

    /// Prepares the next batch, if the trigger was pulled, the time has come, or a look is under way.
    pub fn step(
        &mut self,
        pulled: bool,
        steady: i64,
        routing: &Routing,
        cleaner: &mut Cleaner,
        log: &mut Log,
    ) -> Vec<Ready> {
        if self.entries.is_none() && (pulled || steady >= self.next_look) {
            self.begin_look(steady, log);
        }
        let batch = self.next_batch();
        let size = batch.len();
        let prepared =
            batch.into_iter().filter_map(|message| preprocess::prepare(message, routing, log)).collect();
        let mut ready = Vec::new();
        for prepared in preprocess::sync(prepared, log) {
            match cleaner.remove_todo(prepared.message) {
                Answer::Done => ready.push((prepared.message, prepared.channels)),
                // It is still in todo and will be prepared again.
                Answer::Failed => {
                    log.warning(format!(
                        "qmail-clean unable to clean up {}",
                        Kind::Todo.name(prepared.message)
                    ));
                }
                Answer::Lost => break,
            }
        }
        self.rest = Rest::after(size);
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
