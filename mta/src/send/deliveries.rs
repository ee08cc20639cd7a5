//! One channel at work: which message is being read, which attempts run, and what their reports mean.

use super::births::Births;
use super::bounce;
use super::channel::{ByChannel, Channel};
use super::delivery::{Delivery, DeliveryNumber, Slots, Verdict};
use super::job::{Ending, Job, Outcome};
use super::log::{Load, Log};
use super::retry;
use super::route::{self, Routing};
use super::schedule::Schedule;
use super::settings::Settings;
use super::spawner::{Report, Spawner};
use crate::queue::envelope::{Record, records};
use crate::queue::layout::{Kind, MessageNumber};
use crate::queue::recipients::{self, Next, RecipientReader};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::Path;
use unix::clock::Now;
use unix::{failure, file};

/// What the sender is told of recipients that an administrator gave up.
const ENDED_BY_ADMINISTRATOR: &[u8] =
    b"The administrator of this host has ended the attempts to deliver this message. (#5.4.7)\n";
/// Seconds after which trouble with a file is looked at again.
pub const TROUBLE_RETRY: i64 = 123;

/// What both channels share.
pub struct Shared {
    /// Settings read at the start.
    pub settings: Settings,
    /// Where recipients go.
    pub routing: Routing,
    /// The messages' births.
    pub births: Births,
    /// Running deliveries and limits, for status lines.
    pub load: ByChannel<Load>,
    /// Whether no new work is begun.
    pub exit_asap: bool,
    /// Deliveries started so far.
    pub last_delivery: DeliveryNumber,
    /// Messages that wait until an administrator releases them.
    pub held: HashSet<MessageNumber>,
}

impl Shared {
    fn change_load(&mut self, channel: Channel, running: usize, log: &mut Log) {
        self.load.get_mut(channel).0 = running;
        log.status(&self.load, self.exit_asap);
    }
}

/// The deliveries of one channel.
pub struct Deliveries {
    channel: Channel,
    spawner: Spawner,
    slots: Slots,
    schedule: Schedule,
    pass: Option<Pass>,
    jobs: HashMap<MessageNumber, Job>,
    job_limit: usize,
    /// Held messages whose time had come.
    parked: HashSet<MessageNumber>,
}

/// What is left on a channel of a message that an administrator has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Nothing.
    Nothing,
    /// Deliveries that run; with their reports it ends.
    RunningDeliveries,
    /// All that was there: a file could not be read or written.
    Everything,
}

/// The message whose recipients are being read.
struct Pass {
    message: MessageNumber,
    reader: RecipientReader,
}

impl Deliveries {
    /// A channel with nothing to do yet.
    pub fn new(channel: Channel, spawner: Spawner, concurrency: usize, job_limit: usize) -> Deliveries {
        let (slots, schedule) = (Slots::new(concurrency), Schedule::default());
        let (jobs, parked) = (HashMap::new(), HashSet::new());
        Deliveries { channel, spawner, slots, schedule, pass: None, jobs, job_limit, parked }
    }

    /// Running deliveries and their limit.
    pub fn load(&self) -> Load {
        (self.slots.running(), self.slots.count())
    }

    /// The connection to the spawner.
    pub fn spawner(&mut self) -> &mut Spawner {
        &mut self.spawner
    }

    /// The same, to look at.
    pub fn spawner_state(&self) -> &Spawner {
        &self.spawner
    }

    /// The messages that wait.
    pub fn schedule(&mut self) -> &mut Schedule {
        &mut self.schedule
    }

    /// Whether an attempt runs whose report can still come.
    pub fn is_waiting_for_reports(&self) -> bool {
        self.spawner.is_alive() && self.slots.running() > 0
    }

    /// When the next attempt can begin, as far as only time is missing.
    pub fn next_due(&self) -> Option<i64> {
        let blocked = self.pass.is_some() || !self.can_start() || self.jobs.len() >= self.job_limit;
        if blocked { None } else { self.schedule.next_due() }
    }

    fn can_start(&self) -> bool {
        self.spawner.can_take() && self.slots.free().is_some()
    }

    /// Goes on by one recipient, if an attempt is due and can be started. Nothing if not; otherwise the message
    /// that is done on this channel, if one is.
    pub fn start_next(
        &mut self,
        now: Now,
        shared: &mut Shared,
        log: &mut Log,
    ) -> Option<Option<MessageNumber>> {
        let goes_on = self.can_start() && (self.pass.is_some() || self.begin_pass(now, shared, log));
        goes_on.then(|| self.continue_pass(now, shared, log))
    }

    /// Opens the next message that is due; false if there is none.
    fn begin_pass(&mut self, now: Now, shared: &mut Shared, log: &mut Log) -> bool {
        if self.jobs.len() >= self.job_limit {
            return false;
        }
        let Some(message) = self.schedule.pop_due(now.steady) else { return false };
        if shared.held.contains(&message) {
            self.parked.insert(message);
            return true;
        }
        match self.open(message, now, shared) {
            Ok((job, reader)) => {
                self.jobs.insert(message, job);
                self.pass = Some(Pass { message, reader });
            }
            Err(kind) => {
                log.warning(format!("trouble opening {}; will try again later", kind.name(message)));
                self.schedule.push(now.steady.saturating_add(TROUBLE_RETRY), message);
            }
        }
        true
    }

    fn open(
        &self,
        message: MessageNumber,
        now: Now,
        shared: &mut Shared,
    ) -> Result<(Job, RecipientReader), Kind> {
        let sender = read_sender(message).map_err(|_| Kind::Info)?;
        let birth = shared.births.of(message, now).map_err(|_| Kind::Info)?;
        let kind = self.channel.kind();
        let reader = RecipientReader::open(&kind.path(message)).map_err(|_| kind)?;
        let age = now.steady.saturating_sub(birth);
        let plan = retry::plan(self.channel, age, shared.settings.queuelifetime);
        Ok((Job::new(sender, birth, plan), reader))
    }

    /// Starts an attempt for the next recipient, or ends the pass.
    fn continue_pass(&mut self, now: Now, shared: &mut Shared, log: &mut Log) -> Option<MessageNumber> {
        let Pass { message, reader } = self.pass.as_mut()?;
        let message = *message;
        let broken = match reader.next_record() {
            Ok(Next::Recipient { address, offset }) => {
                self.start_delivery(message, address, offset, shared, log);
                return None;
            }
            Ok(Next::Done) => return None,
            Ok(Next::Unknown) => {
                log.warning(format!("unknown record type in {}!", self.channel.kind().name(message)));
                if let Some(job) = self.jobs.get_mut(&message) {
                    job.unknown_record();
                }
                return None;
            }
            Ok(Next::End) => false,
            Err(_) => {
                log.warning(format!(
                    "trouble reading {}; will try again later",
                    self.channel.kind().name(message)
                ));
                true
            }
        };
        self.end_pass(message, broken, now, shared, log)
    }

    fn end_pass(
        &mut self,
        message: MessageNumber,
        broken: bool,
        now: Now,
        shared: &Shared,
        log: &mut Log,
    ) -> Option<MessageNumber> {
        self.pass = None;
        self.jobs.get_mut(&message)?.pass_ended(broken);
        self.close_job(message, now, shared, log)
    }

    fn start_delivery(
        &mut self,
        message: MessageNumber,
        recipient: Vec<u8>,
        offset: u64,
        shared: &mut Shared,
        log: &mut Log,
    ) {
        let (Some(slot), Some(job)) = (self.slots.free(), self.jobs.get_mut(&message)) else { return };
        job.delivery_started();
        shared.last_delivery = shared.last_delivery.saturating_add(1);
        let number = shared.last_delivery;
        let sender = route::expand_sender(&job.sender, &recipient);
        let message_file = format!("{}/{message}", message.remainder());
        self.spawner.start_delivery(slot, &message_file, &sender, &recipient);
        log.starting(number, message, self.channel, &recipient);
        self.slots.occupy(slot, Delivery { number, message, recipient, offset });
        shared.change_load(self.channel, self.slots.running(), log);
    }

    /// Takes in one report. Gives the message if it is done on this channel now.
    pub fn take_report(
        &mut self,
        report: &Report,
        now: Now,
        shared: &mut Shared,
        log: &mut Log,
    ) -> Option<MessageNumber> {
        let Some(delivery) = self.slots.release(report.slot) else {
            log.warning("internal error: delivery report out of range");
            return None;
        };
        let dying = self.jobs.get(&delivery.message).is_some_and(|job| job.dying);
        let done = self.act_on(&Verdict::decode(&report.text, dying), &delivery, shared, log);
        if let Some(job) = self.jobs.get_mut(&delivery.message) {
            job.delivery_ended(done);
        }
        let complete = self.close_job(delivery.message, now, shared, log);
        shared.change_load(self.channel, self.slots.running(), log);
        complete
    }

    /// Does what a verdict calls for; whether the recipient needs no further attempt.
    fn act_on(&self, verdict: &Verdict, delivery: &Delivery, shared: &Shared, log: &mut Log) -> bool {
        match verdict {
            Verdict::Success(text) => {
                log.success(delivery.number, text);
                self.mark_done(delivery, log)
            }
            Verdict::Temporary(text) => {
                log.deferral(delivery.number, text);
                false
            }
            Verdict::Mangled => {
                log.mangled(delivery.number);
                false
            }
            Verdict::Permanent(text) => {
                log.failure(delivery.number, text);
                let recipient = shared.routing.without_prefix(&delivery.recipient);
                if bounce::append(delivery.message, recipient, text).is_err() {
                    // Without the record nobody would hear of the failure: the recipient is tried again.
                    log.alert("unable to append to bounce message; recipient will be tried again");
                    return false;
                }
                self.mark_done(delivery, log)
            }
        }
    }

    fn mark_done(&self, delivery: &Delivery, log: &mut Log) -> bool {
        let kind = self.channel.kind();
        let marked = recipients::mark_done(&kind.path(delivery.message), delivery.offset).is_ok();
        if !marked {
            let name = kind.name(delivery.message);
            log.warning(format!("trouble marking {name}; message will be delivered twice!"));
        }
        marked
    }

    /// Ends the job if it has ended. Gives the message if nothing is left of it on this channel.
    fn close_job(
        &mut self,
        message: MessageNumber,
        now: Now,
        shared: &Shared,
        log: &mut Log,
    ) -> Option<MessageNumber> {
        let outcome = self.jobs.get(&message)?.outcome()?;
        let job = self.jobs.remove(&message)?;
        let finished = match (outcome, job.ending()) {
            (Outcome::Complete, _) => self.unlink(message, log),
            (Outcome::Again, Some(ending)) => self.give_up(message, ending, shared, log),
            (Outcome::Again, None) => {
                self.schedule.push(job.next_attempt, message);
                return None;
            }
        };
        if !finished {
            self.schedule.push(now.steady.saturating_add(TROUBLE_RETRY), message);
        }
        finished.then_some(message)
    }

    /// Removes the channel file, all of whose recipients are done; false if that has to be tried again.
    fn unlink(&self, message: MessageNumber, log: &mut Log) -> bool {
        let kind = self.channel.kind();
        let removed = file::remove_if_present(&kind.path(message)).is_ok();
        if !removed {
            log.warning(format!("unable to unlink {}; will try again later", kind.name(message)));
        }
        removed
    }

    /// Ends a message of which no delivery runs: writes down who has to be told of it, then removes the channel
    /// file. A crash in between makes another attempt, not a recipient of whom nobody hears.
    fn give_up(&self, message: MessageNumber, ending: Ending, shared: &Shared, log: &mut Log) -> bool {
        let kind = self.channel.kind();
        let recorded = match ending {
            Ending::Expire => record_waiting(&kind.path(message), message, &shared.routing),
            Ending::Remove => Ok(()),
        };
        if let Err(error) = recorded {
            let why = failure::describe(&error);
            log.warning(format!("unable to expire {}: {why}; it stays as it was", kind.name(message)));
            return false;
        }
        self.unlink(message, log)
    }

    /// An administrator holds a message: no delivery of it begins any more. Whether some are running.
    pub fn hold(&mut self, message: MessageNumber, now: Now, shared: &Shared, log: &mut Log) -> bool {
        if self.pass.as_ref().is_some_and(|pass| pass.message == message) {
            // Recipients that were not read yet make it wait for its next attempt; it is held by then.
            // Nothing can be complete now: what is complete has been read to its end.
            self.end_pass(message, true, now, shared, log);
        }
        self.jobs.contains_key(&message)
    }

    /// The end of a hold: an attempt whose time has come meanwhile begins.
    pub fn release(&mut self, message: MessageNumber, now: Now) {
        if self.parked.remove(&message) {
            self.schedule.push(now.steady, message);
        }
    }

    /// An administrator ends a message. What is left of it on this channel.
    pub fn end(
        &mut self,
        message: MessageNumber,
        ending: Ending,
        now: Now,
        shared: &Shared,
        log: &mut Log,
    ) -> Left {
        if let Some(job) = self.jobs.get_mut(&message) {
            job.end(ending);
            if self.pass.as_ref().is_some_and(|pass| pass.message == message) {
                self.end_pass(message, true, now, shared, log);
            }
            if self.jobs.contains_key(&message) {
                return Left::RunningDeliveries;
            }
            return if self.schedule.remove(message) { self.trouble(message, now) } else { Left::Nothing };
        }
        let waits = self.schedule.remove(message) || self.parked.remove(&message);
        if waits && !self.give_up(message, ending, shared, log) {
            return self.trouble(message, now);
        }
        Left::Nothing
    }

    fn trouble(&mut self, message: MessageNumber, now: Now) -> Left {
        self.schedule.push(now.steady.saturating_add(TROUBLE_RETRY), message);
        Left::Everything
    }

    /// Writes down when each waiting message is due, as the mtime of its channel file, for the next start.
    pub fn save_due_times(&self, now: Now, log: &mut Log) {
        for (due, message) in self.schedule.entries() {
            let path = self.channel.kind().path(message);
            let seconds = u64::try_from(now.wall_of(due)).unwrap_or(0);
            let time = std::time::UNIX_EPOCH.checked_add(std::time::Duration::from_secs(seconds));
            let times = time.map(|time| fs::FileTimes::new().set_accessed(time).set_modified(time));
            let file = fs::OpenOptions::new().write(true).open(&path);
            if !file.is_ok_and(|file| times.is_some_and(|times| file.set_times(times).is_ok())) {
                log.warning(format!("unable to utime {}; message will be retried too soon", path.display()));
            }
        }
    }
}

/// Puts the recipients that wait into the bounce record, and waits until that is on disk.
fn record_waiting(channel_file: &Path, message: MessageNumber, routing: &Routing) -> io::Result<()> {
    let mut reader = RecipientReader::open(channel_file)?;
    let mut text = Vec::new();
    loop {
        match reader.next_record()? {
            Next::Recipient { address, .. } => {
                text.extend(bounce::record(routing.without_prefix(&address), ENDED_BY_ADMINISTRATOR));
            }
            Next::Done | Next::Unknown => {}
            Next::End => break,
        }
    }
    if text.is_empty() { Ok(()) } else { bounce::append_records(message, &text) }
}

/// The envelope sender of a preprocessed message.
pub fn read_sender(message: MessageNumber) -> io::Result<Vec<u8>> {
    let info = file::read_if_present(&Kind::Info.path(message))?.ok_or(io::ErrorKind::NotFound)?;
    let sender = records(&info).find_map(|record| match record {
        Record::Sender(sender) => Some(sender.to_vec()),
        _ => None,
    });
    sender.ok_or_else(|| io::ErrorKind::InvalidData.into())
}
