//! Disk full, inodes gone: at twenty levels, so that what is missing is missing at each step of a message's way.
//!
//! At a level there is room for so many pages, or names, and no more. Messages come by all three ways: while nothing else runs,
//! so that they pile up in todo and the queue manager then meets the full disk; or while it runs and works on them.

use super::super::report::{Report, Scope};
use super::super::smtp_session::Answer;
use super::laboratory::Laboratory;
use super::route::Route;
use super::small_disk::{Shortage, SmallDisk};
use harness::settles;

/// Room for so many more pages, or names, less one.
const LEVELS: usize = 20;
/// Levels of each kind in the sample.
const SAMPLE: usize = 5;

/// When the queue manager is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manager {
    /// All the time.
    Running,
    /// From when all messages have been sent.
    StartsLater,
}

/// R1
#[test]
fn r1_no_space_at_any_step_refuses_for_now_and_loses_nothing() {
    fill("space", Shortage::Space);
}

/// R1
#[test]
fn r1_no_inodes_at_any_step_refuse_for_now_and_lose_nothing() {
    fill("inodes", Shortage::Inodes);
}

fn fill(subject: &str, shortage: Shortage) {
    let mut report = Report::new("resources", subject);
    let mut disk = None;
    let mut laboratory = Laboratory::new(|instance| disk = SmallDisk::under(instance));
    let Some(disk) = disk else { return };
    for manager in [Manager::StartsLater, Manager::Running] {
        for level in Scope::of_this_run().of((0..LEVELS).collect(), SAMPLE) {
            let point = format!("{shortage:?} for {level}, manager: {manager:?}");
            let found = one_level(&mut laboratory, &disk, shortage, level, manager);
            report.points(found.hit);
            report.acknowledged(laboratory.ledger.acknowledged().len());
            let mut verdict = laboratory.judge();
            verdict.wrong.extend(found.wrong);
            report.judged(&point, verdict);
        }
    }
    drop(laboratory);
    report.finish();
}

/// What happened before the recovery.
#[derive(Default)]
struct Found {
    /// Messages that met the full disk: refused, or in the queue when the queue manager complained.
    hit: usize,
    wrong: Vec<String>,
}

fn one_level(
    laboratory: &mut Laboratory,
    disk: &SmallDisk,
    shortage: Shortage,
    level: usize,
    manager: Manager,
) -> Found {
    let mut found = Found::default();
    match manager {
        Manager::Running if laboratory.is_running() => laboratory.instance.clear_log(),
        Manager::Running => laboratory.start_well(),
        Manager::StartsLater => laboratory.stop().expect("an end"),
    }
    laboratory.wait_until_quiet();
    disk.leave(shortage, level);
    let mut accepted = 0;
    for route in Route::ALL {
        let before = laboratory.instance.queue();
        let answer = laboratory.send(route, &[]);
        match answer {
            Answer::Accepted => accepted += 1,
            Answer::Refused => found.hit += 1,
            Answer::RefusedForEver => found.wrong.push(format!("{route:?} refused for ever")),
        }
        // While others work on the queue nobody can say whose a file is; at the end there must be none.
        if manager == Manager::StartsLater {
            let after = laboratory.instance.queue();
            let new: Vec<&String> = after.difference(&before).collect();
            let expected = if answer == Answer::Accepted { 3 } else { 0 };
            if new.len() != expected {
                found.wrong.push(format!("{route:?} {answer:?} left {new:?}"));
            }
        }
    }
    if manager == Manager::StartsLater {
        laboratory.start_well();
    }
    laboratory.wait_until_quiet();
    let log = laboratory.instance.log();
    if ["warning: ", "alert: ", ": deferral: "].iter().any(|sign| log.contains(sign)) {
        found.hit += accepted;
    }
    disk.give_back();
    laboratory.recover();
    // The last files of the last message go after its end.
    if !settles(|| laboratory.instance.queue().is_empty()) {
        let left = laboratory.instance.queue();
        found.wrong.push(format!("after the recovery there is still {left:?}"));
    }
    found
}
