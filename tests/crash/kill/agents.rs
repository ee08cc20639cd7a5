//! The programs that a message leaves by.
//!
//! Each point is the first attempt to deliver one message, many of them side by side under a queue manager that has nothing
//! wrong. Whatever goes wrong, it is wrong for the moment only: the message is delivered by a later attempt, if not by this
//! one, and nobody gets a bounce. A recipient may have a second copy, because this attempt may have succeeded unheard.

use super::points::{Point, points};
use super::site::{Site, at_host, comes_true, is_possible, judge_each};
use crate::ledger::{Ledger, Number};
use crate::mbox::Mbox;
use crate::report::{Report, Scope};
use harness::SmtpSink;
use harness::fault::Order;

/// Points between two recoveries.
const BATCH: usize = 100;
/// What an earlier crash has left in the mbox: a piece of a message, which does not end with its line.
const TORN: &str = "From sender\nSubject: laboratory\n\nbegin 0\n0 0\n0 ";
/// Deliveries side by side.
const CONCURRENCY: usize = 10;

/// An agent at work.
struct Work {
    program: &'static str,
    /// What it does, for the report.
    task: &'static str,
    /// The instructions of the aliases `TASK-NUMBER`.
    instructions: String,
    /// A word that only one call of the program has, made of the message's number.
    word: fn(Number) -> String,
    /// Where the message is to arrive.
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Maildir,
    Mbox,
    Sink,
}

/// R7
#[test]
fn kill_qmail_local_at_any_call_and_the_maildir_gets_the_message() {
    sweep(
        60,
        &Work {
            program: "qmail-local",
            task: "maildir",
            instructions: "./joe/\n".to_owned(),
            word: |number| format!("maildir-{}", number.0),
            place: Place::Maildir,
        },
    );
}

/// R7
#[test]
fn kill_qmail_local_at_any_call_and_the_mbox_gets_the_message() {
    sweep(
        30,
        &Work {
            program: "qmail-local",
            task: "mbox",
            instructions: "./Mailbox\n".to_owned(),
            word: |number| format!("mbox-{}", number.0),
            place: Place::Mbox,
        },
    );
}

/// R7
#[test]
fn kill_qmail_local_at_any_call_and_the_message_is_forwarded() {
    sweep(
        30,
        &Work {
            program: "qmail-local",
            task: "forwarded",
            instructions: format!("&{}\n", at_host("joe")),
            word: |number| format!("forwarded-{}", number.0),
            place: Place::Maildir,
        },
    );
}

/// R7
#[test]
fn kill_qmail_local_at_any_call_and_the_program_gets_the_message() {
    sweep(
        30,
        &Work {
            program: "qmail-local",
            task: "program",
            instructions: "|forward joe@\"$HOST\"\n".to_owned(),
            word: |number| format!("program-{}", number.0),
            place: Place::Maildir,
        },
    );
}

/// R7
#[test]
fn kill_forward_at_any_call_and_the_message_is_forwarded() {
    sweep(
        30,
        &Work {
            program: "forward",
            task: "forward",
            instructions: "|forward box-\"$EXT2@$HOST\"\n".to_owned(),
            word: |number| at_host(&format!("box-{}", number.0)),
            place: Place::Maildir,
        },
    );
}

/// R7
#[test]
fn kill_qmail_remote_at_any_call_and_the_other_host_gets_the_message() {
    sweep(
        60,
        &Work {
            program: "qmail-remote",
            task: "remote",
            instructions: String::new(),
            word: |number| format!("remote-{}@far.example", number.0),
            place: Place::Sink,
        },
    );
}

impl Work {
    fn key(&self, number: Number) -> String {
        format!("{}:{}", self.program, (self.word)(number))
    }

    fn recipient(&self, number: Number) -> String {
        match self.place {
            Place::Sink => (self.word)(number),
            _ => at_host(&format!("{}-{}", self.task, number.0)),
        }
    }
}

fn sweep(sample: usize, work: &Work) {
    if !is_possible() {
        return;
    }
    let (mut site, sink) = prepare(work);
    let mut report = Report::new("kill", format!("{} ({})", work.program, work.task));
    let all = points(&list_calls(&mut site, work));
    take(&site, &sink, work);
    for batch in Scope::of_this_run().of(all, sample).chunks(BATCH) {
        let ledger = Ledger::default();
        let names = try_points(&mut site, work, &ledger, batch, &mut report);
        site.recover(&names.join(", "));
        report.acknowledged(ledger.acknowledged().len());
        let (texts, pieces) = take(&site, &sink, work);
        // The one that was there before, and one of each fault.
        if pieces > 1 + names.len() {
            report.wrong(&names[0], "more pieces of messages than there were faults");
        }
        judge_each(&mut report, &ledger, &names, work.task, texts);
        site.expect_no_bounce(&mut report);
    }
    site.collect_strays();
    report.finish();
}

fn prepare(work: &Work) -> (Site, SmtpSink) {
    let (site, sink) = (Site::new(), SmtpSink::start().expect("a sink"));
    site.instance.alias(&format!("{}-default", work.task), &work.instructions);
    site.instance.alias("box-default", "./joe/\n");
    site.instance.write("control/smtproutes", format!("far.example:127.0.0.1:{}\n", sink.port()));
    for channel in ["local", "remote"] {
        site.instance.write(&format!("control/concurrency{channel}"), format!("{CONCURRENCY}\n"));
    }
    site.instance.write("alias/Mailbox", TORN);
    site.make_faulty(work.program);
    (site, sink)
}

/// The calls of a delivery in which nothing goes wrong.
fn list_calls(site: &mut Site, work: &Work) -> Vec<harness::fault::Seen> {
    let (number, key) = (Number(0), work.key(Number(0)));
    site.order(&key, Order::List);
    site.instance.start();
    assert_eq!(send(site, work, number), 0);
    assert!(comes_true(|| site.instance.waiting().is_empty()), "{}", site.instance.log());
    site.stop();
    let listed = site.listed(&key);
    site.recover("no fault");
    listed
}

fn send(site: &Site, work: &Work, number: Number) -> i32 {
    site.instance.enqueue(&at_host("sender"), &[&work.recipient(number)], number.text())
}

/// Tries each point with a message of its own; their names.
fn try_points(
    site: &mut Site,
    work: &Work,
    ledger: &Ledger,
    batch: &[Point],
    report: &mut Report,
) -> Vec<String> {
    site.instance.start();
    let mut keys = Vec::new();
    for point in batch {
        let number = ledger.draw();
        ledger.hit(number);
        keys.push(work.key(number));
        site.order(&work.key(number), point.order());
        assert_eq!(send(site, work, number), 0);
        ledger.acknowledge(number);
    }
    let all_have_begun = comes_true(|| keys.iter().all(|key| !site.order_file(key).exists()));
    assert!(all_have_begun, "{:?}\n{}", site.instance.queue(), site.instance.log());
    // Ends when all deliveries have.
    site.stop();
    report.points(keys.iter().filter(|key| site.seen(key).is_some()).count());
    batch.iter().map(ToString::to_string).collect()
}

/// What arrived, and how many pieces of messages an mbox has beside.
fn take(site: &Site, sink: &SmtpSink, work: &Work) -> (Vec<String>, usize) {
    match work.place {
        Place::Maildir => (site.take_delivered(), 0),
        Place::Sink => (sink.take_texts(), 0),
        Place::Mbox => {
            let Mbox { whole, torn } = Mbox::read(&site.instance.path("alias/Mailbox"));
            site.instance.write("alias/Mailbox", TORN);
            (whole, torn.len())
        }
    }
}
