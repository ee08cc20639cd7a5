//! `qmail-queuectl`, while it takes a snapshot and while it restores one.
//!
//! The queue of the snapshot has three messages: one in todo, one that is preprocessed, and one that has failed for a recipient
//! besides. Whatever goes wrong while they are copied, there is no snapshot that looks whole and is not. Whatever goes wrong while
//! they are restored, the next run restores what is left: with the queue manager delivering all the time, each recipient has his
//! message once, and the sender is told once.

use super::points::{Point, points};
use super::site::{Site, at_host, comes_true, is_possible};
use crate::ledger::{Ledger, Number};
use crate::report::{Report, Scope};
use harness::fault::Order;
use harness::{Running, owner_uid};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Stdio;

const PROGRAM: &str = "qmail-queuectl";
/// The parts of the queue's directories; more of them would only be more of the same calls.
const SPLIT: u64 = 2;
const MESSAGES: usize = 3;

/// R7
#[test]
fn kill_qmail_queuectl_at_any_call_of_snapshot_and_what_looks_whole_is_whole() {
    if !is_possible() {
        return;
    }
    let site = site_with_mail();
    let mut report = Report::new("kill", "qmail-queuectl (snapshot)");
    let clean = site.instance.path("clean");
    assert_eq!(run(&site, Order::List, "snapshot", &clean), Some(0));
    let all = points(&site.listed(PROGRAM));
    let wanted = contents(&clean).expect("a snapshot");
    let queue = site.instance.queue();
    for point in Scope::of_this_run().of(all, 20) {
        let directory = site.instance.path("night");
        let code = run(&site, point.order(), "snapshot", &directory);
        report.points(usize::from(site.seen(PROGRAM).is_some()));
        for what in faults_of_snapshot(&site, code, &directory, &wanted) {
            report.wrong(&point.to_string(), what);
        }
        if site.instance.queue() != queue {
            report.wrong(&point.to_string(), "the queue is another one");
        }
        let _ = fs::remove_dir_all(&directory);
    }
    report.finish();
}

fn faults_of_snapshot(site: &Site, code: Option<i32>, directory: &Path, wanted: &str) -> Vec<&'static str> {
    let found = contents(directory);
    let again = site.instance.call(PROGRAM).arg("snapshot").arg(directory).run().code;
    let judged = [
        (code.is_some(), "it hangs"),
        (code != Some(0) || found.is_some(), "it says that there is a snapshot, and there is none"),
        (found.as_deref().is_none_or(|found| found == wanted), "half a snapshot that looks whole"),
        (again == if found.is_some() { 100 } else { 0 }, "the next run fails, or overwrites a snapshot"),
        (contents(directory).as_deref() == Some(wanted), "the next run makes another snapshot"),
    ];
    judged.into_iter().filter(|(holds, _)| !holds).map(|(_, what)| what).collect()
}

/// R7
#[test]
fn kill_qmail_queuectl_at_any_call_of_restore_and_the_next_run_restores_what_is_left() {
    if !is_possible() {
        return;
    }
    let mut site = site_with_mail();
    let mut report = Report::new("kill", "qmail-queuectl (restore)");
    let directory = site.instance.path("night");
    assert_eq!(site.instance.call(PROGRAM).arg("snapshot").arg(&directory).run().code, 0);
    site.recover("no fault");
    take_all(&site);
    site.instance.start();
    assert_eq!(run(&site, Order::List, "restore", &directory), Some(0));
    let all = points(&site.listed(PROGRAM));
    judge(&site, "no fault", &mut report);
    for point in Scope::of_this_run().of(all, 25) {
        try_restore(&site, &point, &directory, &mut report);
    }
    site.stop();
    site.collect_strays();
    report.finish();
}

fn try_restore(site: &Site, point: &Point, directory: &Path, report: &mut Report) {
    let name = point.to_string();
    forget_what_was_restored(site);
    let first = run(site, point.order(), "restore", directory);
    report.points(usize::from(site.seen(PROGRAM).is_some()));
    if first.is_none() {
        report.wrong(&name, "it hangs");
    }
    // What the broken run has made visible is on its way, or gone, when the next one looks.
    let second = site.instance.call(PROGRAM).arg("restore").arg(directory).run();
    if second.code != 0 {
        report.wrong(&name, &format!("the next run fails: {}", second.err_text()));
    }
    judge(site, &name, report);
}

/// Holds both mailboxes against what was restored: each message once.
fn judge(site: &Site, name: &str, report: &mut Report) {
    // The bounce may come into todo, and its cause leave info, while the one and then the other is looked at: once.
    let is_empty = || site.instance.waiting().is_empty();
    if !comes_true(|| is_empty() && is_empty()) {
        report.wrong(name, &format!("{:?} does not leave the queue", site.instance.waiting()));
    }
    let ledger = Ledger::default();
    (0..MESSAGES).for_each(|_| ledger.acknowledge(ledger.draw()));
    report.acknowledged(MESSAGES);
    report.judged(name, ledger.judge("joe", &site.take_delivered(), |_| true));
    report.judged(name, ledger.judge("sender", &site.take_bounces(), |number| number == Number(2)));
}

fn take_all(site: &Site) {
    site.take_delivered();
    site.take_bounces();
}

/// As if it were another queue.
fn forget_what_was_restored(site: &Site) {
    for entry in fs::read_dir(site.instance.path("queue/queuectl")).expect("a directory").flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(b"restored.") {
            fs::remove_file(entry.path()).expect("a record");
        }
    }
}

/// Messages 0 in todo, 1 preprocessed, and 2 with a bounce, in a queue in which nothing runs.
fn site_with_mail() -> Site {
    let site = Site::new();
    site.instance.write("control/conf-split", format!("{SPLIT}\n"));
    for number in 0..MESSAGES {
        let todo = enqueue(&site, Number(number));
        if number == 0 {
            continue;
        }
        for kind in ["todo", "intd"] {
            fs::remove_file(site.instance.path(&format!("queue/{kind}/{todo}"))).expect("a file to replace");
        }
        let part = todo % SPLIT;
        put(&site, &format!("info/{part}/{todo}"), &format!("F{}\0", at_host("sender")));
        put(&site, &format!("local/{part}/{todo}"), &format!("D{}\0T{}\0", at_host("gone"), at_host("joe")));
        if number == 2 {
            put(&site, &format!("bounce/{todo}"), &format!("<{}>:\nno such user\n\n", at_host("gone")));
        }
    }
    site
}

fn enqueue(site: &Site, number: Number) -> u64 {
    let before = site.instance.queue();
    assert_eq!(site.instance.enqueue(&at_host("sender"), &[&at_host("joe")], number.text()), 0);
    let after: BTreeSet<String> = site.instance.queue();
    let todo = after.difference(&before).find_map(|name| name.strip_prefix("todo/")).expect("todo/N");
    todo.parse().expect("a number")
}

fn put(site: &Site, name: &str, text: &str) {
    let path: PathBuf = site.instance.path("queue").join(name);
    fs::write(&path, text).expect("a file of the queue");
    chown(&path, Some(owner_uid()), Some(owner_uid())).expect("its owner");
}

/// A whole snapshot without its first line, in which its name is.
fn contents(directory: &Path) -> Option<String> {
    let text = fs::read_to_string(directory.join("messages")).ok()?;
    text.split_once('\n').map(|(_, rest)| rest.to_owned())
}

/// Runs the program under an order; nothing if it does not end.
fn run(site: &Site, order: Order, verb: &str, directory: &Path) -> Option<i32> {
    let _ = fs::remove_file(site.order_file(&format!("{PROGRAM}.seen")));
    site.order(PROGRAM, order);
    let mut command = site.instance.command(&site.instance.path("bin/faulty"));
    command.arg(site.order_file(PROGRAM)).arg(site.instance.path("bin").join(PROGRAM));
    command.arg(verb).arg(directory).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut running = Running::start(&mut command);
    comes_true(|| !running.is_alive()).then(|| running.wait())
}
