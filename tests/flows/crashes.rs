//! Processes that are killed while mail goes through: nothing is lost, and little is done twice.

use crate::mail::messages;
use crate::queue_states::set_age;
use harness::{HOST, Instance, wait_until};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use unix::signal::Signal;

const MESSAGES: usize = 200;
const SENDERS: usize = 4;
/// Deliveries at a time: as many can be hit by one crash.
const CONCURRENCY: usize = 2;
/// Each kills one process. The first three take the queue manager with them, which supervise starts again.
const VICTIMS: [&str; 7] = [
    "qmail-send",
    "qmail-lspawn",
    "qmail-clean",
    "qmail-local",
    "qmail-queue",
    "qmail-inject",
    "qmail-rspawn",
];

/// Injects its share of the messages; the numbers of those that were accepted.
fn inject_some(instance: &Instance, share: usize) -> Vec<usize> {
    let numbers = (share * MESSAGES / SENDERS..).take(MESSAGES / SENDERS);
    let accepted = |number: &usize| {
        let text = format!("Subject: load\n\nbegin {number}\n{}end {number}\n", "x\n".repeat(500));
        instance.call("qmail-inject").arg(format!("joe@{HOST}")).input(text).run().code == 0
    };
    numbers.filter(accepted).collect()
}

/// How often each message lies in the maildir; a message that is not whole fails the test.
fn copies(maildir: &Path) -> BTreeMap<usize, usize> {
    let mut copies = BTreeMap::new();
    for text in messages(maildir) {
        let number =
            text.split("\nbegin ").nth(1).and_then(|rest| rest.split('\n').next()).expect("a number");
        assert!(text.ends_with(&format!("\nx\nend {number}\n")), "half a message: {text}");
        *copies.entry(number.parse().expect("a number")).or_default() += 1;
    }
    copies
}

/// R7
#[test]
fn r7_whatever_is_killed_every_accepted_message_arrives() {
    let mut instance = Instance::new();
    let maildir = instance.mailbox("joe");
    instance.write("control/concurrencylocal", format!("{CONCURRENCY}\n"));
    instance.start_supervised();
    let is_loading = AtomicBool::new(true);
    let (mut accepted, mut kills) = (Vec::new(), 0);
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|share| {
                scope.spawn({
                    let instance = &instance;
                    move || inject_some(instance, share)
                })
            })
            .collect();
        let killer = scope.spawn(|| {
            let mut kills = 0;
            for victim in VICTIMS.iter().cycle() {
                // Some live for a moment only: look until one is there, or the load is over.
                while is_loading.load(Ordering::Relaxed) && !instance.kill(victim) {
                    std::thread::sleep(Duration::from_millis(1));
                }
                if !is_loading.load(Ordering::Relaxed) {
                    return kills;
                }
                kills += 1;
            }
            kills
        });
        accepted = senders.into_iter().flat_map(|sender| sender.join().expect("a sender")).collect();
        is_loading.store(false, Ordering::Relaxed);
        kills = killer.join().expect("the killer");
    });
    assert!(kills >= VICTIMS.len(), "only {kills} processes were killed");

    wait_until("all accepted messages have been delivered", || {
        // A delivery that was killed is deferred; nobody wants to wait for its next turn.
        if instance.pid_of("qmail-send").is_some() {
            instance.signal(Signal::SIGALRM);
        }
        !instance.queue().iter().any(|name| name.starts_with("todo/") || name.starts_with("info/"))
    });
    instance.stop();
    let copies = copies(&maildir);
    let lost: Vec<&usize> = accepted.iter().filter(|number| !copies.contains_key(number)).collect();
    assert_eq!(lost, Vec::<&usize>::new(), "{kills} kills, {} accepted", accepted.len());
    let extra: usize = copies.values().map(|count| count - 1).sum();
    assert!(extra <= kills * CONCURRENCY, "{extra} extra copies after {kills} kills");

    // What killed qmail-queues left is nobody's message, and is collected once it is old enough.
    for name in instance.queue() {
        assert!(["mess/", "intd/", "pid/"].iter().any(|kind| name.starts_with(kind)), "{name}");
        set_age(&instance.path("queue").join(name), 37);
    }
    instance.start();
    instance.wait_until_delivered();
    instance.stop();
}
