//! `qmail-queuectl`: a snapshot that it says is there is there, whole; what it has restored is in the queue.

use super::experiment::{Experiment, try_points};
use crate::image::Kind;
use crate::ledger::{Ledger, Verdict};
use crate::site::{Prepared, Recipient, Site, sender};
use crate::tracer::{Tracer, strace};
use harness::{Instance, Running, owner_uid};
use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Messages in the queue, the first of them in todo and the other preprocessed.
const MESSAGES: usize = 2;

/// Taking a snapshot.
#[derive(Default)]
pub struct Taking {
    contents: OnceLock<String>,
}

/// Restoring it into a new queue.
pub struct Restoring;

impl Experiment for Taking {
    fn subject(&self) -> &'static str {
        "qmail-queuectl snapshot"
    }

    fn prepare(&self, kind: Kind) -> Prepared {
        Prepared::with(kind, |instance| {
            fill(instance);
            let wanted = take(instance);
            // Numbers are the file system's, so each has another snapshot.
            let wanted = without_numbers(&wanted);
            assert_eq!(self.contents.get_or_init(|| wanted.clone()), &wanted);
            fs::remove_dir_all(instance.path("night")).expect("a snapshot to take anew");
        })
    }

    fn until_stopped(&self, site: &mut Site, ledger: &Ledger, tracer: &Tracer) -> (bool, Vec<Running>) {
        let number = ledger.draw();
        let (came, mut running) = run(site, "snapshot", tracer);
        if !running.is_alive() && running.wait() == 0 {
            ledger.acknowledge(number);
        }
        (came, vec![running])
    }

    fn recover(&self, site: &mut Site, ledger: &Ledger) -> Verdict {
        let found = contents(&site.instance).map(|found| without_numbers(&found));
        let wrong = match found {
            None if ledger.acknowledged().is_empty() => None,
            None => Some("there is no snapshot".to_owned()),
            Some(found) if Some(&found) == self.contents.get() => None,
            Some(found) => Some(format!("{} bytes look like a whole snapshot", found.len())),
        };
        Verdict { extra_copies: 0, wrong: wrong.into_iter().collect() }
    }
}

impl Experiment for Restoring {
    fn subject(&self) -> &'static str {
        "qmail-queuectl restore"
    }

    fn prepare(&self, kind: Kind) -> Prepared {
        Prepared::with(kind, |instance| {
            fill(instance);
            take(instance);
            fs::remove_dir_all(instance.path("queue")).expect("a queue to lose");
            instance.install();
        })
    }

    fn until_stopped(&self, site: &mut Site, ledger: &Ledger, tracer: &Tracer) -> (bool, Vec<Running>) {
        (0..MESSAGES).for_each(|_| ledger.acknowledge(ledger.draw()));
        let (came, running) = run(site, "restore", tracer);
        (came, vec![running])
    }

    fn recover(&self, site: &mut Site, ledger: &Ledger) -> Verdict {
        let again = order(&site.instance, "restore").status().expect("qmail-queuectl");
        let mut wrong: Vec<String> = site.instance.deliver_everything().err().into_iter().collect();
        if !again.success() {
            wrong.push(format!("the next run fails: {again}"));
        }
        site.judge(ledger, |_, recipient| recipient == Recipient::Joe).and(Verdict { extra_copies: 0, wrong })
    }
}

/// R8
#[test]
fn r8_a_snapshot_that_was_taken_is_there_and_whole_if_power_is_lost() {
    try_points(&Taking::default(), 6);
}

/// R8
#[test]
fn r8_no_message_is_lost_if_power_is_lost_while_a_snapshot_is_restored() {
    try_points(&Restoring, 8);
}

fn order(instance: &Instance, verb: &str) -> Command {
    let mut command = instance.command(&instance.path("bin/qmail-queuectl"));
    command.arg(verb).arg(instance.path("night"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn run(site: &Site, verb: &str, tracer: &Tracer) -> (bool, Running) {
    let mut command = tracer.around(&order(&site.instance, verb), site.instance.command(&strace()));
    let mut running = Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()));
    let came = tracer.waits(|| !running.is_alive());
    (came, running)
}

fn fill(instance: &Instance) {
    let ledger = Ledger::default();
    for _ in 0..MESSAGES {
        let recipient = Recipient::Joe.address();
        assert_eq!(instance.enqueue(&sender(), &[&recipient], ledger.draw().text()), 0);
    }
    let queue = instance.queue();
    let number = queue.iter().filter_map(|name| name.strip_prefix("todo/")).next_back().expect("todo/N");
    let part = number.parse::<u64>().expect("a number") % 23;
    put(instance, &format!("info/{part}/{number}"), &format!("F{}\0", sender()));
    put(instance, &format!("local/{part}/{number}"), &format!("T{}\0", Recipient::Joe.address()));
    for kind in ["intd", "todo"] {
        fs::remove_file(instance.path(&format!("queue/{kind}/{number}"))).expect("a file that is done with");
    }
}

fn put(instance: &Instance, name: &str, text: &str) {
    let path = instance.path("queue").join(name);
    fs::write(&path, text).expect("a file of the queue");
    chown(&path, Some(owner_uid()), Some(owner_uid())).expect("its owner");
}

fn take(instance: &Instance) -> String {
    assert!(order(instance, "snapshot").status().is_ok_and(|status| status.success()));
    contents(instance).expect("a snapshot")
}

fn contents(instance: &Instance) -> Option<String> {
    let path: &Path = &instance.path("night/messages");
    fs::read_to_string(path).ok()
}

/// What is the same in each snapshot: its own name, message numbers, ages, process numbers and times left out.
fn without_numbers(text: &str) -> String {
    let changes = ["qmail-queue snapshot ", "message ", "birth ", "todo ", "u", "Received: ", "mess "];
    let kept = text.lines().filter(|line| !changes.iter().any(|start| line.starts_with(start)));
    kept.map(|line| format!("{line}\n")).collect()
}
