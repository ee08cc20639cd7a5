//! Programs of the mail path under limits, each in its turn: who takes mail, the queue manager with its helpers, and the agents.
//!
//! A point is a limit that somebody noticed: mail refused, a delivery deferred, a complaint in the log, a manager that ended.

use super::super::ledger::Verdict;
use super::super::report::{Report, Scope};
use super::super::smtp_session::Answer;
use super::laboratory::Laboratory;
use super::limit::{Limit, PRLIMIT};
use super::route::Route;
use harness::{put_program, skipped};
use std::fs;
use std::path::Path;

/// Limits of each kind for each program in the sample.
const SAMPLE: usize = 3;
/// Messages that a queue manager finds in todo, so that it needs something for each.
const MESSAGES: usize = 4;

/// Runs an experiment for each kind of limit.
fn for_each_kind(subject: &str, mut experiment: impl FnMut(&mut Laboratory, &[Limit], &mut Report)) {
    if !Path::new(PRLIMIT).exists() {
        return skipped("prlimit is not installed");
    }
    let mut report = Report::new("resources", subject);
    let mut laboratory = Laboratory::new(|_| {});
    // A user of its own: others' processes would count as well.
    let has_own_user = harness::is_root();
    if has_own_user {
        laboratory.hand_over(OWN_USERS + std::process::id() % 1000 + 1000 * order_of(subject));
    }
    for (kind, limits) in Limit::all() {
        if kind == "processes" && !has_own_user {
            skipped("only root can count the processes of a user without others");
            continue;
        }
        experiment(&mut laboratory, &Scope::of_this_run().of(limits, SAMPLE), &mut report);
    }
    laboratory.collect_strays();
    report.judged(subject, laboratory.judge());
    report.finish();
}

/// Numbers that belong to nobody.
const OWN_USERS: u32 = 1_000_000;

fn order_of(subject: &str) -> u32 {
    subject.bytes().map(u32::from).sum()
}

/// L6, R1
#[test]
fn l6_qmail_queue_under_limits_queues_a_whole_message_or_none() {
    for_each_kind("limits: qmail-queue", |laboratory, limits, report| {
        under_limits(Route::Queue, laboratory, limits, report);
    });
}

/// L6, R1
#[test]
fn l6_qmail_inject_under_limits_queues_a_whole_message_or_refuses_it_for_now() {
    for_each_kind("limits: qmail-inject", |laboratory, limits, report| {
        under_limits(Route::Inject, laboratory, limits, report);
    });
}

/// L6, R1
#[test]
fn l6_qmail_smtpd_under_limits_queues_a_whole_message_or_refuses_it_for_now() {
    for_each_kind("limits: qmail-smtpd", |laboratory, limits, report| {
        under_limits(Route::Smtp, laboratory, limits, report);
    });
}

/// One message under each limit, while nothing else runs.
fn under_limits(route: Route, laboratory: &mut Laboratory, limits: &[Limit], report: &mut Report) {
    laboratory.stop().expect("an end");
    let mut verdict = Verdict::default();
    for limit in limits {
        let before = laboratory.instance.queue();
        let answer = laboratory.send(route, &limit.words());
        let after = laboratory.instance.queue();
        let new: Vec<&String> = after.difference(&before).collect();
        let is_whole = new.len() == 3 && new.iter().any(|name| name.starts_with("todo/"));
        let is_right = match answer {
            Answer::Accepted => is_whole,
            // Whoever died may have done so when all was done; half of a message in todo is never right.
            Answer::Refused if limit.kills() => is_whole || !new.iter().any(|name| name.starts_with("todo/")),
            Answer::Refused => new.is_empty(),
            Answer::RefusedForEver => false,
        };
        if !is_right {
            verdict.wrong.push(format!("{limit}: {answer:?}, and in the queue {new:?}"));
        }
        report.points(usize::from(answer != Answer::Accepted));
    }
    laboratory.recover();
    report.acknowledged(laboratory.ledger.acknowledged().len());
    report.judged(&format!("{limits:?}"), verdict.and(laboratory.judge()));
}

/// R1, R4
#[test]
fn r4_a_queue_manager_under_limits_delivers_what_it_can_and_loses_nothing() {
    for_each_kind("limits: qmail-start and all it starts", |laboratory, limits, report| {
        for limit in limits {
            laboratory.stop().expect("an end");
            for _ in 0..MESSAGES {
                assert_eq!(laboratory.send(Route::Queue, &[]), Answer::Accepted);
            }
            laboratory.instance.clear_log();
            laboratory.start(&limit.words());
            laboratory.wait_until_quiet();
            let noticed = !laboratory.is_running() || complains(laboratory);
            let mut verdict = Verdict::default();
            verdict.wrong.extend(laboratory.stop().err());
            // Deliveries whose end nobody could hear.
            laboratory.ledger.hit_all();
            laboratory.recover();
            report.points(usize::from(noticed));
            report.acknowledged(laboratory.ledger.acknowledged().len());
            report.judged(&limit.to_string(), verdict.and(laboratory.judge()));
        }
    });
}

fn complains(laboratory: &Laboratory) -> bool {
    let log = laboratory.instance.log();
    ["warning: ", "alert: ", ": deferral: ", "cannot start: "].iter().any(|sign| log.contains(sign))
}

/// R1
#[test]
fn r1_a_local_delivery_under_limits_is_deferred_or_whole() {
    for_each_kind("limits: qmail-local", |laboratory, limits, report| {
        agent_under_limits("qmail-local", laboratory, limits, report);
    });
}

/// R1
#[test]
fn r1_a_remote_delivery_under_limits_is_deferred_or_whole() {
    for_each_kind("limits: qmail-remote", |laboratory, limits, report| {
        agent_under_limits("qmail-remote", laboratory, limits, report);
    });
}

/// A message for each limit; the agent inherits it from a script in its place.
fn agent_under_limits(agent: &str, laboratory: &mut Laboratory, limits: &[Limit], report: &mut Report) {
    if !laboratory.is_running() {
        laboratory.start_well();
    }
    let place = laboratory.instance.path("bin").join(agent);
    let itself = place.with_extension("itself");
    for limit in limits {
        laboratory.instance.clear_log();
        fs::rename(&place, &itself).expect("the agent");
        let script = format!("#!/bin/sh\nexec {} {} \"$@\"\n", limit.words().join(" "), itself.display());
        put_program(&place, script);
        assert_eq!(laboratory.send(Route::Queue, &[]), Answer::Accepted);
        laboratory.wait_until_quiet();
        report.points(usize::from(complains(laboratory)));
        // A delivery that was done, of which the agent could not say so.
        laboratory.ledger.hit_all();
        fs::rename(&itself, &place).expect("the agent");
        laboratory.recover();
        report.acknowledged(laboratory.ledger.acknowledged().len());
        report.judged(&limit.to_string(), laboratory.judge());
    }
}
