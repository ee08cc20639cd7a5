//! Processes that are killed while mail goes through: nothing is lost, and little is done twice.

use harness::messages;
use harness::{Call, HOST, Instance, Running, STRAY_HOURS, set_age, settles, wait_until};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use unix::process::Pid;
use unix::signal::Signal;

/// Injected at least.
const MESSAGES: usize = 200;
const SENDERS: usize = 4;
/// Deliveries at a time: as many can be hit by one crash.
const CONCURRENCY: usize = 2;
/// Each of these is killed so often.
const ROUNDS: usize = 2;
/// The death of the first four ends the queue manager, which supervise starts again.
const VICTIMS: [&str; 7] = [
    "qmail-send",
    "qmail-lspawn",
    "qmail-rspawn",
    "qmail-clean",
    "qmail-local",
    "qmail-queue",
    "qmail-inject",
];

/// Injects messages until all kills are done, and its share in any case; the numbers of those accepted.
fn inject_some(instance: &Instance, share: usize, is_killing: &AtomicBool) -> Vec<usize> {
    let numbers = (share..).step_by(SENDERS);
    let accepted = |number: &usize| {
        let text = format!("Subject: load\n\nbegin {number}\n{}end {number}\n", "x\n".repeat(500));
        let addresses = [format!("-fbounces@{HOST}"), format!("joe@{HOST}"), format!("gone@{HOST}")];
        instance.call("qmail-inject").args(addresses).input(text).run().code == 0
    };
    let goes_on = |number: &usize| *number < MESSAGES || is_killing.load(Ordering::Relaxed);
    numbers.take_while(goes_on).filter(accepted).collect()
}

/// Kills each of the victims as soon as there is one; how many that were.
fn kill_them_all(instance: &Instance) -> usize {
    let victims = VICTIMS.iter().cycle().take(VICTIMS.len() * ROUNDS);
    victims.map(|victim| wait_until(victim, || instance.kill(victim))).count()
}

/// How many accepted messages are in the queue.
fn messages_in(instance: &Instance) -> usize {
    let queue = instance.queue();
    queue.iter().filter(|name| name.starts_with("todo/") || name.starts_with("info/")).count()
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

/// R7, B4
#[test]
fn r7_whatever_is_killed_every_accepted_message_arrives() {
    let mut instance = Instance::new();
    let (maildir, bounces) = (instance.mailbox("joe"), instance.mailbox("bounces"));
    instance.write("control/concurrencylocal", format!("{CONCURRENCY}\n"));
    instance.start_supervised();
    let is_killing = AtomicBool::new(true);
    let (accepted, kills) = std::thread::scope(|scope| {
        let (instance, is_killing) = (&instance, &is_killing);
        let start = |share| scope.spawn(move || inject_some(instance, share, is_killing));
        let senders: Vec<_> = (0..SENDERS).map(start).collect();
        let kills = kill_them_all(instance);
        is_killing.store(false, Ordering::Relaxed);
        let accepted: Vec<usize> =
            senders.into_iter().flat_map(|sender| sender.join().expect("a sender")).collect();
        (accepted, kills)
    });

    // However slow the machine is, the queue becomes shorter.
    while let waiting @ 1.. = messages_in(&instance) {
        let progress = settles(|| {
            // A delivery that was killed is deferred; nobody wants to wait for its next turn.
            if let Some(pid) = instance.pid_of("qmail-send") {
                let _ = unix::process::kill(Pid::from_raw(pid), Signal::SIGALRM);
            }
            messages_in(&instance) < waiting
        });
        assert!(progress, "{:?} {:?}\n{}", instance.processes(), instance.queue(), instance.log());
    }
    instance.stop();
    // The one recipient has his copy; of the other, who does not exist, the sender was told.
    for (maildir, most) in [(&maildir, CONCURRENCY), (&bounces, CONCURRENCY + 1)] {
        let copies = copies(maildir);
        let lost: Vec<&usize> = accepted.iter().filter(|number| !copies.contains_key(number)).collect();
        assert_eq!(lost, Vec::<&usize>::new(), "{kills} kills, {} accepted, {maildir:?}", accepted.len());
        let extra: usize = copies.values().map(|count| count - 1).sum();
        assert!(extra <= kills * most, "{extra} extra copies after {kills} kills in {maildir:?}");
    }

    // What killed qmail-queues left is nobody's message, and is collected once it is old enough.
    for name in instance.queue() {
        assert!(["mess/", "intd/", "pid/"].iter().any(|kind| name.starts_with(kind)), "{name}");
        set_age(&instance.path("queue").join(name), STRAY_HOURS).expect("an age");
    }
    instance.start();
    instance.wait_until_delivered();
    instance.stop();
}

/// R7: a report that is lost would keep its slot for ever, and qmail-send with it.
#[test]
fn a_spawner_that_cannot_write_its_reports_ends() {
    let instance = Instance::new();
    for (program, arguments) in [("qmail-lspawn", &["./Maildir/"][..]), ("qmail-rspawn", &[])] {
        let full = std::fs::File::options().write(true).open("/dev/full").expect("a full device");
        let mut command = instance.command(&instance.path("bin").join(program));
        command.args(arguments).stdin(Stdio::piped()).stdout(full);
        // Requests could still come.
        let mut running = Running::start(&mut command);
        wait_until("it has ended", || !running.is_alive());
        assert_eq!(running.wait(), 0, "{program}");
    }
}

/// R7: the signal that tells of an agent's death may not get through; then the report must not wait for another one.
#[test]
fn an_agent_whose_death_wakes_nobody_is_reported() {
    let env = Path::new("/usr/bin/env");
    if Call::path(env).args(["--block-signal=CHLD", "true"]).run().code != 0 {
        return harness::skipped("env (GNU coreutils 8.31) cannot block signals");
    }
    let mut instance = Instance::new();
    let joe = instance.mailbox("joe");
    let spawner = instance.path("bin/qmail-lspawn");
    std::fs::rename(&spawner, instance.path("bin/qmail-lspawn.real")).expect("the real program");
    harness::put_program(&spawner, "#!/bin/sh\nexec /usr/bin/env --block-signal=CHLD \"$0.real\" \"$@\"\n");
    instance.start();
    for _ in 0..2 {
        assert_eq!(instance.enqueue("s@src.example", &[&format!("joe@{HOST}")], "x\n"), 0);
        instance.wait_until_delivered();
    }
    assert_eq!(messages(&joe).len(), 2);
    instance.stop();
}
