//! The programs that a message comes in by.
//!
//! Each point is one run of the program with one message. Whatever goes wrong: if it says that the message is accepted, the
//! message is delivered, once; if not, once or not at all.

use super::points::{Point, points};
use super::site::{Site, at_host, comes_true, is_possible, judge_each};
use crate::ledger::{Ledger, Number};
use crate::report::{Report, Scope};
use harness::fault::Order;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::process::{Command, Stdio};

/// Points between two recoveries.
const BATCH: usize = 200;

/// A program that takes messages.
struct Submitter {
    program: &'static str,
    arguments: Vec<String>,
    environment: Vec<(&'static str, &'static str)>,
    /// What it reads on descriptor 0.
    input: fn(Number) -> String,
    /// What it reads on descriptor 1, if it does; otherwise it writes there.
    envelope: Option<String>,
    /// Whether it has accepted the message, by its exit status and output.
    is_accepted: fn(i32, &str) -> bool,
}

/// R7
#[test]
fn kill_qmail_queue_at_any_call_and_what_it_accepted_is_delivered() {
    let envelope = format!("F{}\0T{}\0\0", at_host("sender"), at_host("joe"));
    sweep(60, &Submitter {
        program: "qmail-queue",
        arguments: Vec::new(),
        environment: Vec::new(),
        input: Number::text,
        envelope: Some(envelope),
        is_accepted: |code, _| code == 0,
    });
}

/// What one run came to.
struct Run {
    is_accepted: bool,
    came_to_pass: bool,
}

fn sweep(sample: usize, submitter: &Submitter) {
    if !is_possible() {
        return;
    }
    let mut site = Site::new();
    let mut report = Report::new("kill", submitter.program);
    assert!(run(&site, submitter, Number(0), Order::List).is_some_and(|run| run.is_accepted));
    let all = points(&site.listed(submitter.program));
    site.recover();
    assert_eq!(site.take_delivered().len(), 1);
    for batch in Scope::of_this_run().of(all, sample).chunks(BATCH) {
        site.instance.start();
        let ledger = Ledger::default();
        let names: Vec<String> =
            batch.iter().map(|point| try_point(&site, submitter, &ledger, point, &mut report)).collect();
        site.stop();
        site.recover();
        report.acknowledged(ledger.acknowledged().len());
        judge_each(&mut report, &ledger, &names, "joe", site.take_delivered());
        site.expect_no_bounce(&mut report);
    }
    site.collect_strays();
    report.finish();
}

/// Tries a point with a message of its own; its name, for the report.
fn try_point(
    site: &Site,
    submitter: &Submitter,
    ledger: &Ledger,
    point: &Point,
    report: &mut Report,
) -> String {
    let number = ledger.draw();
    let Some(run) = run(site, submitter, number, point.order()) else {
        report.wrong(&point.to_string(), "it hangs");
        return point.to_string();
    };
    report.points(usize::from(run.came_to_pass));
    if run.is_accepted {
        ledger.acknowledge(number);
    }
    point.to_string()
}

/// Runs the program with one message; nothing if it does not end.
fn run(site: &Site, submitter: &Submitter, number: Number, order: Order) -> Option<Run> {
    let key = submitter.program;
    let _ = std::fs::remove_file(site.order_file(&format!("{key}.seen")));
    site.order(key, order);
    let mut command: Command = site.instance.command(&site.instance.path("bin/faulty"));
    command.arg(site.order_file(key)).arg(site.instance.path("bin").join(key)).args(&submitter.arguments);
    command.envs(submitter.environment.iter().copied());
    let mut output = file_of(submitter.envelope.as_deref().unwrap_or_default());
    command.stdin(file_of(&(submitter.input)(number))).stderr(Stdio::null());
    command.stdout(output.try_clone().expect("a second descriptor"));
    let mut running = harness::Running::start(&mut command);
    if !comes_true(|| !running.is_alive()) {
        return None;
    }
    let mut text = String::new();
    output.rewind().and_then(|()| output.read_to_string(&mut text)).expect("the output");
    let is_accepted = (submitter.is_accepted)(running.wait(), &text);
    Some(Run { is_accepted, came_to_pass: site.seen(key).is_some() })
}

/// A file in memory that holds a text, to be read from its beginning.
fn file_of(text: &str) -> File {
    let mut file = tempfile::tempfile_in("/dev/shm").or_else(|_| tempfile::tempfile()).expect("a file");
    file.write_all(text.as_bytes()).and_then(|()| file.rewind()).expect("its contents");
    file
}
