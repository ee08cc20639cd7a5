//! Mail that goes through the whole system while its disk is recorded.

use super::recorder::{Event, Recorder};
use crate::image::{Image, Kind};
use crate::ledger::{Ledger, Number};
use crate::site::{Prepared, Recipient, Site, envelope};
use crate::tracer::{Tracer, strace};
use harness::{Instance, Random};
use std::path::PathBuf;
use unix::signal::Signal;

/// Messages in one session. The fewer, the sooner the system has recovered from a cut; so there are many sessions.
pub const MESSAGES: usize = 9;
const SENDERS: usize = 3;

/// The system before a session, and what tells its deferred deliveries that they may go on.
pub struct Stage {
    pub prepared: Prepared,
    permission: PathBuf,
    _directory: tempfile::TempDir,
}

/// A session that was recorded.
pub struct Recorded {
    pub events: Vec<Event>,
}

impl Stage {
    /// A system with a recipient whose deliveries fail for a while.
    pub fn new(kind: Kind) -> Stage {
        let directory = harness::scratch();
        let permission = directory.path().join("permission");
        let prepared = Prepared::with(kind, |instance| {
            instance.mailbox("later");
            let instructions = format!("|test -e {} || exit 111\n./later/\n", permission.display());
            instance.alias("later", &instructions);
        });
        Stage { prepared, permission, _directory: directory }
    }

    /// Sends the messages by several senders at the same time, and waits until the queue is empty. `left_out` is the
    /// sync of qmail-queue that does not happen.
    ///
    /// # Errors
    /// Why the disk cannot be recorded.
    pub fn record(&self, random: &mut Random, left_out: Option<usize>) -> std::io::Result<Recorded> {
        let _ = std::fs::remove_file(&self.permission);
        let directory = harness::scratch_in_memory();
        let contents = Image::of(self.prepared.image().kind(), directory.path().join("contents"));
        contents.become_copy_of(self.prepared.image());
        let recorder = Recorder::new(contents.file(), directory.path())?;
        let disk = Image::of(contents.kind(), recorder.path().to_path_buf());
        let mut site = self.prepared.on(harness::scratch_in_memory(), disk);
        site.instance.start();
        let paddings: Vec<usize> = (0..MESSAGES).map(|_| *random.one_of(&[0, 0, 0, 40])).collect();
        std::thread::scope(|scope| {
            for share in 0..SENDERS {
                let (instance, recorder, paddings) = (&site.instance, &recorder, &paddings);
                scope.spawn(move || {
                    for number in (share..MESSAGES).step_by(SENDERS) {
                        send(instance, recorder, Number(number), paddings[number], left_out);
                    }
                });
            }
        });
        std::fs::write(&self.permission, "").expect("a permission");
        site.instance.signal(Signal::SIGALRM);
        finish(&site);
        let events = recorder.events();
        site.instance.stop();
        site.leave();
        Ok(Recorded { events })
    }
}

/// What has to be in the mailboxes after a session.
pub fn ledger() -> Ledger {
    let ledger = Ledger::default();
    for _ in 0..MESSAGES {
        ledger.draw();
    }
    ledger
}

/// Whether the message was sent to that recipient: two of them get each.
pub fn has(number: Number, recipient: Recipient) -> bool {
    recipients(number).contains(&recipient)
}

fn recipients(number: Number) -> [Recipient; 2] {
    [Recipient::Joe, [Recipient::Ann, Recipient::Gone, Recipient::Later][number.0 % 3]]
}

fn send(instance: &Instance, recorder: &Recorder, number: Number, padding: usize, left_out: Option<usize>) {
    let scratch = harness::scratch();
    let mut command = instance.queue_command();
    if let Some(ordinal) = left_out {
        let tracer = Tracer::leaving_out(ordinal, scratch.path());
        command = tracer.around(&command, instance.command(&strace()));
    }
    let text = crate::site::with_padding(padding, number);
    if instance.run_queue(&mut command, text.as_bytes(), &envelope(&recipients(number))) == 0 {
        recorder.acknowledged(number);
    }
}

fn finish(site: &Site) {
    let mut rounds = 0;
    let is_empty = harness::settles(|| {
        rounds += 1;
        if rounds % 20 == 0 {
            site.instance.signal(Signal::SIGALRM);
        }
        site.instance.queue().is_empty()
    });
    assert!(is_empty, "{:?}\n{}", site.instance.queue(), site.instance.log());
}
