//! The loop of qmail-send: what is ready, what is due, and in which order it is looked at.
//!
//! Each turn gives everybody a little: commands out, reports in, some new mail, some attempts, some
//! finished messages, some stray ones. So neither a burst of new mail nor a long queue starves the other.

mod obey;

use super::births::Births;
use super::bounce;
use super::channel::{ByChannel, Channel};
use super::cleaner::Cleaner;
use super::cleanup::Cleanup;
use super::deliveries::{Deliveries, Shared, TROUBLE_RETRY, read_sender};
use super::intake::Intake;
use super::log::{Helper, Log};
use super::orders::Orders;
use super::retry;
use super::route::Routing;
use super::schedule::Schedule;
use super::settings::Settings;
use super::spawner::Spawner;
use crate::control::Control;
use crate::queue::layout::{HELD, Kind, MessageNumber};
use crate::setup::home::Home;
use std::collections::HashSet;
use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;
use unix::clock::Now;
use unix::poll::{self, Interest};
use unix::signal::{Signal, Signals};
use unix::{failure, file};

/// Longest sleep, in seconds.
const LONGEST_SLEEP: i64 = 86_400;

/// Those whom the manager talks with.
pub struct Connections {
    /// The spawners, each with the most deliveries that it can run at once.
    pub spawners: ByChannel<(Spawner, usize)>,
    /// qmail-clean.
    pub cleaner: Cleaner,
    /// qmail-queuectl.
    pub orders: Orders,
}

/// The queue manager.
pub struct Manager {
    home: Home,
    control: Control,
    shared: Shared,
    deliveries: ByChannel<Deliveries>,
    cleaner: Cleaner,
    intake: Intake,
    cleanup: Cleanup,
    /// Messages with no recipients left, waiting to be removed.
    finished: Schedule,
    /// Messages whose files could not be looked at.
    unread: Schedule,
    /// Orders of administrators.
    orders: Orders,
    /// Messages that an administrator removed: nobody is told of their recipients.
    removed: HashSet<MessageNumber>,
    /// Helpers whose loss was noticed.
    lost: Vec<Helper>,
    /// The lock that keeps a second manager away.
    _mutex: File,
}

impl Manager {
    /// A manager that knows no message yet.
    pub fn new(
        home: Home,
        control: Control,
        settings: Settings,
        routing: Routing,
        connections: Connections,
        mutex: File,
    ) -> Manager {
        let Connections { spawners, cleaner, orders } = connections;
        let limit = |channel: Channel| (*settings.concurrency.get(channel)).min(spawners.get(channel).1);
        let limits = ByChannel { local: limit(Channel::Local), remote: limit(Channel::Remote) };
        let jobs = limits.local.saturating_add(limits.remote);
        let deliveries = ByChannel {
            local: Deliveries::new(Channel::Local, spawners.local.0, limits.local, jobs),
            remote: Deliveries::new(Channel::Remote, spawners.remote.0, limits.remote, jobs),
        };
        let load = ByChannel { local: deliveries.local.load(), remote: deliveries.remote.load() };
        let births = Births::default();
        let held = HashSet::new();
        let shared = Shared { settings, routing, births, load, exit_asap: false, last_delivery: 0, held };
        let steady = Now::read().steady;
        Manager {
            home,
            control,
            shared,
            deliveries,
            cleaner,
            intake: Intake::new(steady),
            cleanup: Cleanup::new(steady),
            finished: Schedule::default(),
            unread: Schedule::default(),
            orders,
            removed: HashSet::new(),
            lost: Vec::new(),
            _mutex: mutex,
        }
    }

    /// Runs until TERM, or until a helper is lost, and all deliveries have reported.
    pub fn run(&mut self, signals: &Signals, log: &mut Log) {
        self.load_queue(log);
        log.status(&self.shared.load, self.shared.exit_asap);
        while !self.may_exit() {
            let pulled = self.wait(signals, Now::read(), log);
            let now = Now::read();
            // First of all: mail that came after a signal is treated as the signal asks.
            self.take_signals(signals, now, log);
            self.take_reports(now, log);
            self.take_orders(now, log);
            if !self.shared.exit_asap {
                self.take_new_mail(pulled, now, log);
                self.start_deliveries(now, log);
                self.cleanup.step(now, &mut self.cleaner, log);
            }
            self.reload_unread(now, log);
            self.remove_finished(now, log);
            self.take_answers_of_cleaner(log);
            self.notice_lost_helpers(log);
        }
        self.cleaner.finish();
        self.take_answers_of_cleaner(log);
        let now = Now::read();
        for channel in Channel::ALL {
            self.deliveries.get(channel).save_due_times(now, log);
        }
    }

    fn may_exit(&self) -> bool {
        let waiting = |channel: &Channel| self.deliveries.get(*channel).is_waiting_for_reports();
        self.shared.exit_asap && !Channel::ALL.iter().any(waiting)
    }

    fn take_signals(&mut self, signals: &Signals, now: Now, log: &mut Log) {
        if signals.take(Signal::SIGTERM) {
            self.shared.exit_asap = true;
        }
        if signals.take(Signal::SIGALRM) {
            for channel in Channel::ALL {
                self.deliveries.get_mut(channel).schedule().make_all_due(now.steady);
            }
            // Also what waits because of trouble: bounces that could not be queued, files that could not be read.
            self.finished.make_all_due(now.steady);
            self.unread.make_all_due(now.steady);
        }
        if signals.take(Signal::SIGHUP) {
            self.reread_controls(log);
        }
    }

    /// Rereads `locals` and `virtualdomains`. What cannot be read stays as it was.
    fn reread_controls(&mut self, log: &mut Log) {
        match (self.shared.settings.read_locals(&self.control), self.control.map("virtualdomains")) {
            (Ok(locals), Ok(virtualdomains)) => {
                self.shared.routing.locals = locals;
                self.shared.routing.virtualdomains = virtualdomains;
            }
            (Err(_), _) => log.alert("unable to reread control/locals"),
            (_, Err(_)) => log.alert("unable to reread control/virtualdomains"),
        }
    }

    /// Waits until something is ready or due; whether the trigger was pulled.
    fn wait(&mut self, signals: &Signals, now: Now, log: &mut Log) -> bool {
        let sleep = self.next_due(now).saturating_sub(now.steady).clamp(0, LONGEST_SLEEP);
        let limit = Duration::from_secs(u64::try_from(sleep).unwrap_or(0));
        let mut waiting: Vec<(BorrowedFd<'_>, Interest)> = vec![(signals.as_fd(), Interest::Read)];
        let trigger = self.intake.trigger().filter(|_| !self.shared.exit_asap);
        waiting.extend(trigger.map(|descriptor| (descriptor, Interest::Read)));
        let batch = self.intake.batch().filter(|_| !self.shared.exit_asap);
        waiting.extend(batch.map(|descriptor| (descriptor, Interest::Read)));
        waiting.extend(self.cleaner.descriptor().map(|descriptor| (descriptor, Interest::Read)));
        waiting.extend(self.orders.interests());
        for channel in Channel::ALL {
            let spawner = self.deliveries.get(channel).spawner_state();
            waiting.extend(spawner.reports().map(|descriptor| (descriptor, Interest::Read)));
            waiting.extend(spawner.commands().map(|descriptor| (descriptor, Interest::Write)));
        }
        let ready = poll::wait(&waiting, Some(limit)).unwrap_or_else(|_| pause(log));
        trigger.is_some() && ready.get(1).copied().unwrap_or(false)
    }

    fn next_due(&self, now: Now) -> i64 {
        let mut due: Vec<i64> = self.finished.next_due().into_iter().chain(self.unread.next_due()).collect();
        due.extend(self.orders.are_pending().then_some(now.steady));
        if !self.shared.exit_asap {
            due.extend(self.intake.next_due(now.steady));
            due.push(self.cleanup.next_due(now.steady));
            due.extend(Channel::ALL.iter().filter_map(|channel| self.deliveries.get(*channel).next_due()));
        }
        due.into_iter().min().unwrap_or(i64::MAX)
    }

    fn take_reports(&mut self, now: Now, log: &mut Log) {
        for channel in Channel::ALL {
            let deliveries = self.deliveries.get_mut(channel);
            deliveries.spawner().send_pending();
            let is_ready = deliveries.spawner_state().reports().is_some_and(|descriptor| {
                poll::wait_one(descriptor, Interest::Read, Some(Duration::ZERO)).unwrap_or(false)
            });
            if !is_ready {
                continue;
            }
            let reports = deliveries.spawner().read_reports();
            for report in reports {
                let complete =
                    self.deliveries.get_mut(channel).take_report(&report, now, &mut self.shared, log);
                self.channel_complete(complete, now);
            }
        }
    }

    fn take_new_mail(&mut self, pulled: bool, now: Now, log: &mut Log) {
        let ready = self.intake.step(pulled, now.steady, &self.shared.routing, &mut self.cleaner, log);
        for (message, channels) in ready {
            // Noted before anything can set the clock. Trouble is met again, and told, when the message is due.
            let _ = self.shared.births.of(message, now);
            if channels.is_empty() {
                self.finished.push(now.steady, message);
            }
            for channel in channels {
                self.deliveries.get_mut(channel).schedule().push(now.steady, message);
            }
        }
    }

    fn start_deliveries(&mut self, now: Now, log: &mut Log) {
        let mut goes_on = true;
        while goes_on {
            goes_on = false;
            // The channels take turns, recipient by recipient, as the log of the original shows them.
            for channel in Channel::ALL {
                let next = self.deliveries.get_mut(channel).start_next(now, &mut self.shared, log);
                goes_on |= next.is_some();
                self.channel_complete(next.flatten(), now);
            }
        }
    }

    /// Whether the other channel is done too is found out when the message is removed.
    fn channel_complete(&mut self, messages: impl IntoIterator<Item = MessageNumber>, now: Now) {
        for message in messages {
            self.finished.push(now.steady, message);
        }
    }

    fn remove_finished(&mut self, now: Now, log: &mut Log) {
        while let Some(message) = self.finished.pop_due(now.steady) {
            if !self.remove(message, log) {
                self.finished.push(now.steady.saturating_add(TROUBLE_RETRY), message);
            }
        }
    }

    /// Sends the bounce of a message without recipients, and removes it; false if that has to wait.
    fn remove(&mut self, message: MessageNumber, log: &mut Log) -> bool {
        for kind in [Kind::Local, Kind::Remote, Kind::Todo] {
            match kind.is_there(message) {
                Ok(false) => {}
                // The other channel is at work, or the message is being queued anew: it is not finished.
                Ok(true) => return true,
                Err(_) => return later(kind, message, log),
            }
        }
        let sender = match read_sender(message) {
            Ok(sender) => sender,
            // Without info there is no message; both channels may have reported it as finished.
            Err(error) if failure::is_absent(&error) => return true,
            // Info that a crash has torn: nobody can be told, but the message is not thrown away.
            Err(_) => return later(Kind::Info, message, log),
        };
        let is_told = if self.removed.contains(&message) {
            unlink_if_there(&Kind::Bounce.path(message), log)
        } else {
            let (home, settings) = (&self.home, &self.shared.settings);
            bounce::send(message, &sender, home, settings, || self.intake.wait(), log)
        };
        if !is_told {
            return false;
        }
        log.end(message);
        if fs::remove_file(Kind::Info.path(message)).is_err() {
            log.warning(format!("unable to unlink {}; will try again later", Kind::Info.name(message)));
            return false;
        }
        self.shared.births.forget(message);
        self.shared.held.remove(&message);
        self.removed.remove(&message);
        self.cleaner.remove_message(message);
        true
    }

    /// Hears of what qmail-clean could not remove: it stays until it is old enough to be stray.
    fn take_answers_of_cleaner(&mut self, log: &mut Log) {
        self.cleaner.check();
        for message in self.cleaner.take_failed() {
            log.warning(format!("qmail-clean unable to clean up foop/{message}"));
        }
    }

    /// Says once of each helper that it is gone.
    fn notice_lost_helpers(&mut self, log: &mut Log) {
        let spawner_is_alive = |channel: Channel| self.deliveries.get(channel).spawner_state().is_alive();
        let lost = [
            (Helper::Spawner(Channel::Local), !spawner_is_alive(Channel::Local)),
            (Helper::Spawner(Channel::Remote), !spawner_is_alive(Channel::Remote)),
            (Helper::Cleaner, !self.cleaner.is_alive()),
        ];
        for (helper, is_lost) in lost {
            if is_lost && !self.lost.contains(&helper) {
                log.lost(helper);
                self.lost.push(helper);
                self.shared.exit_asap = true;
            }
        }
    }

    /// Enters every preprocessed message of the queue into the schedule.
    fn load_queue(&mut self, log: &mut Log) {
        let now = Now::read();
        for directory in Kind::Info.directories() {
            match fs::read_dir(&directory) {
                Ok(entries) => {
                    for entry in entries {
                        match entry.map(|entry| MessageNumber::parse(entry.file_name().as_encoded_bytes())) {
                            Ok(Some(message)) => self.load(message, now, log),
                            Ok(None) => {}
                            Err(_) => self.cannot_list(&directory, log),
                        }
                    }
                }
                Err(_) => self.cannot_list(&directory, log),
            }
        }
    }

    /// A directory of the queue that cannot be read hides messages: it is better to stop and be restarted.
    fn cannot_list(&mut self, directory: &Path, log: &mut Log) {
        log.alert(format!("unable to opendir {}, exiting...", directory.display()));
        self.shared.exit_asap = true;
    }

    fn reload_unread(&mut self, now: Now, log: &mut Log) {
        while let Some(message) = self.unread.pop_due(now.steady) {
            self.load(message, now, log);
        }
    }

    fn load(&mut self, message: MessageNumber, now: Now, log: &mut Log) {
        if let Err(kind) = self.try_load(message, now) {
            later(kind, message, log);
            self.unread.push(now.steady.saturating_add(TROUBLE_RETRY), message);
        }
    }

    fn try_load(&mut self, message: MessageNumber, now: Now) -> Result<(), Kind> {
        // A message that is still in todo is prepared anew, from nothing.
        if Kind::Todo.is_there(message).map_err(|_| Kind::Todo)? {
            return Ok(());
        }
        let birth = match fs::metadata(Kind::Info.path(message)) {
            Ok(info) => {
                if info.mode() & HELD != 0 {
                    self.shared.held.insert(message);
                }
                self.shared.births.seen(message, &info, now)
            }
            Err(error) if failure::is_absent(&error) => return Ok(()),
            Err(_) => return Err(Kind::Info),
        };
        let age = now.steady.saturating_sub(birth);
        let mut due_times = Vec::new();
        for channel in Channel::ALL {
            match fs::metadata(channel.kind().path(message)) {
                Ok(metadata) => due_times.push((channel, due_time(channel, age, metadata.mtime(), now))),
                Err(error) if failure::is_absent(&error) => {}
                Err(_) => return Err(channel.kind()),
            }
        }
        if due_times.is_empty() {
            self.finished.push(now.steady, message);
        }
        for (channel, due) in due_times {
            self.deliveries.get_mut(channel).schedule().push(due, message);
        }
        Ok(())
    }
}

/// The kernel has no memory for us: a moment later it may, and until then nothing is ready.
fn pause(log: &mut Log) -> Vec<bool> {
    log.warning("trouble in select");
    std::thread::sleep(Duration::from_secs(1));
    Vec::new()
}

/// When a message from disk is due, on the steady clock: at the mtime of its channel file, but never later
/// than the schedule itself would have it, as it would seem after the clock went back.
fn due_time(channel: Channel, age: i64, mtime: i64, now: Now) -> i64 {
    let age = age.max(0);
    let longest_wait = retry::plan(channel, age, 0).next_age.saturating_sub(age);
    now.steady_of(mtime).min(now.steady.saturating_add(longest_wait))
}

fn unlink_if_there(path: &Path, log: &mut Log) -> bool {
    let removed = file::remove_if_present(path).is_ok();
    if !removed {
        log.warning(format!("unable to unlink {}", path.display()));
    }
    removed
}

fn later(kind: Kind, message: MessageNumber, log: &mut Log) -> bool {
    log.warning(format!("unable to stat {}; will try again later", kind.name(message)));
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R6
    #[test]
    fn r6_a_due_time_from_the_future_is_brought_back() {
        let now = Now { wall: 10_000, steady: 500 };
        assert_eq!(due_time(Channel::Remote, 50, 10_100, now), 600);
        assert_eq!(due_time(Channel::Remote, 0, 10_000 + 86_400, now), 900);
        assert_eq!(due_time(Channel::Local, 0, 9_000, now), -500);
    }
}
