//! Very many messages at once: taking them and delivering them never keep each other from work.
//!
//! What it costs is measured elsewhere, by the benchmark `queue_size`; here only the order counts in which things happen.

use harness::{HOST, Instance, Stage};
use std::sync::atomic::{AtomicBool, Ordering};

/// Messages in todo at the start.
const IN_TODO: usize = 10_000;
/// Messages whose deliveries do not end.
const BLOCKED: usize = 5_000;
/// Before so many messages are prepared the first one is being delivered.
const SOON: usize = 200;

/// An installation in memory with a recipient `anybody`, whose mail is thrown away.
fn installation() -> (Instance, String) {
    let instance = Instance::in_memory();
    instance.alias("anybody", "#\n");
    (instance, format!("anybody@{HOST}"))
}

/// How many lines begin with this.
fn count(log: &str, beginning: &str) -> usize {
    log.lines().filter(|line| line.starts_with(beginning)).count()
}

/// The log before the first line that holds this part; nothing if there is no such line.
fn before<'a>(log: &'a str, part: &str) -> Option<&'a str> {
    log.find(part).and_then(|place| log.get(..place))
}

#[test]
fn the_first_delivery_does_not_wait_for_all_of_todo() {
    let (mut instance, anybody) = installation();
    instance.fill_queue(IN_TODO, Stage::Todo, "", &anybody);
    instance.start();
    instance.wait_for_log("starting delivery 1:");
    let log = instance.log();
    let prepared = count(before(&log, "starting delivery 1:").expect("the first delivery"), "new msg ");
    assert!(prepared < SOON, "{prepared} messages were prepared before the first delivery");
}

#[test]
fn new_mail_is_prepared_while_an_old_todo_is_being_delivered() {
    let (mut instance, anybody) = installation();
    instance.fill_queue(IN_TODO, Stage::Todo, "", &anybody);
    instance.start();
    instance.wait_for_log("starting delivery 1:");
    assert_eq!(instance.enqueue("fresh@src.example", &[&anybody], "Subject: new\n\nx\n"), 0);
    let part = "from <fresh@src.example>";
    // However slow the machine is, somebody goes on.
    while !instance.log().contains(part) {
        let length = instance.log().len();
        assert!(harness::settles(|| instance.log().len() > length), "all stand still");
    }
    let log = instance.log();
    let prepared = count(before(&log, part).expect("the new message"), "new msg ");
    let ended = count(&log, "end msg ");
    println!("{prepared} messages were prepared before a new one, and {ended} delivered");
    assert!(ended < IN_TODO, "new mail was seen when all old mail was done");
}

#[test]
fn mail_is_prepared_while_thousands_of_deliveries_are_blocked() {
    let (mut instance, anybody) = installation();
    let gate = instance.beside("gate");
    instance.alias("blocked", &format!("|until test -f {}; do sleep 1; done\n", gate.display()));
    instance.fill_queue(BLOCKED, Stage::Due, "", &format!("blocked@{HOST}"));
    instance.start();
    instance.wait_for_log("starting delivery 10:");
    assert_eq!(instance.enqueue("", &[&anybody], "Subject: new\n\nx\n"), 0);
    // The others were prepared before it started.
    instance.wait_for_log("new msg ");
    std::fs::write(gate, "").expect("a gate");
}

#[test]
fn a_flood_of_new_mail_and_a_long_queue_have_their_turns() {
    let (mut instance, anybody) = installation();
    instance.fill_queue(BLOCKED, Stage::Due, "", &anybody);
    instance.start();
    instance.wait_for_log("starting delivery 1:");
    let floods = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let (instance, anybody, floods) = (&instance, anybody.as_str(), &floods);
        for _ in 0..2 {
            scope.spawn(move || {
                while floods.load(Ordering::Relaxed) {
                    assert_eq!(instance.enqueue("", &[anybody], "Subject: flood\n\nx\n"), 0);
                }
            });
        }
        // Both go on, again and again.
        for _ in 0..5 {
            let log = instance.log();
            let (taken, ended) = (count(&log, "new msg "), count(&log, "end msg "));
            let goes_on = harness::settles(|| {
                let log = instance.log();
                count(&log, "new msg ") >= taken + 20 && count(&log, "end msg ") >= ended + 20
            });
            if !goes_on {
                floods.store(false, Ordering::Relaxed);
                panic!("one keeps the other from work");
            }
        }
        floods.store(false, Ordering::Relaxed);
    });
    let log = instance.log();
    assert!(count(&log, "end msg ") < BLOCKED, "the long queue came to its end too soon for this test");
}

#[test]
fn a_long_queue_that_waits_is_loaded_and_new_mail_goes_through() {
    let (mut instance, anybody) = installation();
    instance.fill_queue(IN_TODO, Stage::Waiting, "", &anybody);
    instance.start();
    assert_eq!(instance.enqueue("", &[&anybody], "Subject: new\n\nx\n"), 0);
    instance.wait_for_log("end msg ");
    let log = instance.log();
    assert_eq!((count(&log, "starting delivery "), count(&log, "new msg ")), (1, 1), "{log}");
    instance.stop();
}
