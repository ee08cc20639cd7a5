//! The programs that a message comes in by.
//!
//! Each point is one run of the program with one message. Whatever goes wrong: if it says that the message is accepted, the
//! message is delivered, once; if not, once or not at all.

use super::ends::{Ends, With};
use super::points::{Point, points};
use super::site::{Site, at_host, comes_true, is_possible, judge_each};
use crate::ledger::{Ledger, Number};
use crate::report::{Report, Scope};
use crate::smtp_session;
use harness::fault::Order;
use std::process::{Command, Stdio};

/// Points between two recoveries.
const BATCH: usize = 200;

/// A program that takes messages.
struct Submitter {
    program: &'static str,
    arguments: Vec<String>,
    environment: &'static [(&'static str, &'static str)],
    /// What it reads on descriptor 0.
    input: fn(Number) -> String,
    /// What it has on descriptors 0 and 1.
    with: With,
    /// Whether it has accepted the message, by its exit status and output.
    is_accepted: fn(i32, &str) -> bool,
}

/// What a client says before a message that comes by SMTP; and what the network's programs are told of him.
const CLIENT: [(&str, &str); 3] =
    [("TCPREMOTEIP", "192.0.2.1"), ("TCPREMOTEHOST", "client.example"), ("RELAYCLIENT", "")];

/// R7
#[test]
fn kill_qmail_queue_at_any_call_and_what_it_accepted_is_delivered() {
    let submitter = Submitter {
        program: "qmail-queue",
        arguments: Vec::new(),
        environment: &[],
        input: Number::text,
        with: With::Envelope(format!("F{}\0T{}\0\0", at_host("sender"), at_host("joe"))),
        is_accepted: |code, _| code == 0,
    };
    sweep(120, &submitter);
}

/// R7
#[test]
fn kill_qmail_inject_at_any_call_and_what_it_accepted_is_delivered() {
    let submitter = Submitter {
        program: "qmail-inject",
        arguments: vec![format!("-f{}", at_host("sender")), at_host("joe")],
        environment: &[],
        input: Number::text,
        with: With::Envelope(String::new()),
        is_accepted: |code, _| code == 0,
    };
    sweep(70, &submitter);
}

/// R7
#[test]
fn kill_qmail_smtpd_at_any_call_and_what_it_accepted_is_delivered() {
    let input = |number: Number| smtp_session::session(&[number], &at_host("sender"), &[at_host("joe")]);
    let submitter = Submitter {
        program: "qmail-smtpd",
        arguments: Vec::new(),
        environment: &CLIENT,
        input,
        with: With::SmtpClient,
        is_accepted: |_, output| {
            output
                .split_inclusive("\r\n")
                .any(|line| line.starts_with("250 ok ") && line.contains(" qp ") && line.ends_with("\r\n"))
        },
    };
    sweep(90, &submitter);
}

/// R7
#[test]
fn kill_qmail_qmtpd_at_any_call_and_what_it_accepted_is_delivered() {
    let input = |number: Number| {
        let message = netstring(&format!("\n{}", number.text()));
        message + &netstring(&at_host("sender")) + &netstring(&netstring(&at_host("joe")))
    };
    sweep(50, &quick_server("qmail-qmtpd", input));
}

/// R7
#[test]
fn kill_qmail_qmqpd_at_any_call_and_what_it_accepted_is_delivered() {
    let input = |number: Number| {
        let message = netstring(&number.text());
        netstring(&(message + &netstring(&at_host("sender")) + &netstring(&at_host("joe"))))
    };
    sweep(50, &quick_server("qmail-qmqpd", input));
}

/// A server of QMTP or QMQP.
fn quick_server(program: &'static str, input: fn(Number) -> String) -> Submitter {
    let (arguments, environment) = (Vec::new(), &CLIENT);
    Submitter { program, arguments, environment, input, with: With::Client, is_accepted: says_k }
}

fn netstring(contents: &str) -> String {
    format!("{}:{contents},", contents.len())
}

/// Whether the reply is whole and says that the message was accepted.
fn says_k(_: i32, output: &str) -> bool {
    let Some((length, reply)) = output.split_once(':') else { return false };
    reply.starts_with('K') && length.parse().is_ok_and(|length: usize| reply.len() == length + 1)
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
    site.recover("no fault");
    assert_eq!(site.take_delivered().len(), 1);
    for batch in Scope::of_this_run().of(all, sample).chunks(BATCH) {
        site.instance.start();
        let ledger = Ledger::default();
        let names: Vec<String> =
            batch.iter().map(|point| try_point(&site, submitter, &ledger, point, &mut report)).collect();
        site.stop();
        site.recover(&names.join(", "));
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
    let mut ends = Ends::new(&submitter.with, &(submitter.input)(number));
    ends.give_to(&mut command);
    let mut running = harness::Running::start(command.stderr(Stdio::null()));
    let is_over = comes_true(|| {
        ends.converse();
        !running.is_alive()
    });
    if !is_over {
        return None;
    }
    let text = ends.output();
    let is_accepted = (submitter.is_accepted)(running.wait(), &text);
    Some(Run { is_accepted, came_to_pass: site.seen(key).is_some() })
}
