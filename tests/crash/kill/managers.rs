//! The programs between the queue and the agents.
//!
//! Each point is one life of the queue manager, with two messages: one that it finds in the queue, for a local mailbox, an
//! unknown user, another host and one that is busy; and one that comes while it runs, for the mailbox and the unknown user, which
//! ends with a bounce. After the fault the manager goes on, or ends, and then one that has nothing wrong takes over: it has to
//! deliver what is left, and to tell the sender of the unknown user and of nobody else.

use super::points::{Point, points};
use super::site::{Site, at_host, children_of, comes_true, in_shares, is_possible};
use crate::ledger::{Ledger, Number};
use crate::report::{Report, Scope};
use harness::fault::Order;
use harness::{Running, SmtpSink};
use std::fs::File;
use std::process::Stdio;
use std::time::{Duration, Instant};
use unix::process::Pid;
use unix::signal::Signal;

/// Deliveries that a life has if nothing goes wrong: four of the first message, two of the second, one of its bounce.
const DELIVERIES: usize = 7;
/// The parts of the queue's directories; more of them would only be more of the same calls.
const SPLIT: &str = "2\n";
/// A manager that has logged nothing for so long has no more to do, or waits for something that takes longer.
const QUIET: Duration = Duration::from_millis(250);

/// R7
#[test]
fn kill_qmail_start_at_any_call_and_the_next_manager_delivers() {
    sweep(15, "qmail-start");
}

/// R7, B4
#[test]
fn kill_qmail_send_at_any_call_and_the_next_manager_delivers() {
    sweep(50, "qmail-send");
}

/// R7
#[test]
fn kill_qmail_lspawn_at_any_call_and_the_next_manager_delivers() {
    sweep(24, "qmail-lspawn");
}

/// R7
#[test]
fn kill_qmail_rspawn_at_any_call_and_the_next_manager_delivers() {
    sweep(24, "qmail-rspawn");
}

/// R7
#[test]
fn kill_qmail_clean_at_any_call_and_the_next_manager_delivers() {
    sweep(20, "qmail-clean");
}

struct Experiment {
    site: Site,
    sink: SmtpSink,
    program: &'static str,
}

fn sweep(sample: usize, program: &'static str) {
    if !is_possible() {
        return;
    }
    let mut experiment = Experiment::prepare(program);
    let mut report = Report::new("kill", program);
    assert_eq!(experiment.live(Order::List), Ok(()));
    let all = points(&experiment.site.listed(program));
    experiment.recover("no fault", &mut report);
    let points = Scope::of_this_run().of(all, sample);
    in_shares(&points, &mut report, |share| Experiment::try_all(program, share));
    report.finish();
}

impl Experiment {
    fn prepare(program: &'static str) -> Experiment {
        let (site, sink) = (Site::new(), SmtpSink::start().expect("a sink"));
        site.instance.write("control/smtproutes", sink.route());
        site.instance.write("control/conf-split", SPLIT);
        site.make_faulty(program);
        Experiment { site, sink, program }
    }

    /// Tries some of the points, in an installation of their own.
    fn try_all(program: &'static str, points: &[Point]) -> Report {
        let (mut experiment, mut report) = (Experiment::prepare(program), Report::new("kill", program));
        for point in points {
            experiment.try_point(point, &mut report);
        }
        experiment.site.collect_strays();
        report
    }

    fn try_point(&mut self, point: &Point, report: &mut Report) {
        let ended = self.live(point.order());
        let seen = self.site.seen(self.program);
        report.points(usize::from(seen.is_some()));
        let name = format!("{point}, in this run {}", seen.as_deref().unwrap_or("none"));
        if let Err(what) = ended {
            report.wrong(&name, &what);
        }
        self.recover(&name, report);
    }

    /// One life of the queue manager.
    ///
    /// # Errors
    /// Who does not end, and what was logged.
    fn live(&mut self, order: Order) -> Result<(), String> {
        self.sink.set_busy(true);
        self.site.order(self.program, order);
        self.site.instance.clear_log();
        self.send(Number(0), &[&at_host("joe"), &at_host("gone"), "far@far.example", "later@far.example"]);
        let mut manager = self.start();
        self.wait_for(&mut manager, |log| log.contains("status: "));
        self.send(Number(1), &[&at_host("joe"), &at_host("gone")]);
        self.wait_for(&mut manager, |log| log.matches("\ndelivery ").count() == DELIVERIES);
        self.end(manager)
    }

    fn send(&self, number: Number, recipients: &[&str]) {
        assert_eq!(self.site.instance.enqueue(&at_host("sender"), recipients, number.text()), 0);
    }

    fn start(&self) -> Running {
        let instance = &self.site.instance;
        let log = File::options().create(true).append(true).open(instance.beside("log")).expect("a log");
        let mut command = instance.command(&instance.path("bin/qmail-start"));
        command.arg("./Maildir/").stdin(Stdio::null()).stdout(log).stderr(Stdio::null());
        Running::start(&mut command)
    }

    /// Waits until the log says so, or the manager ends, or nothing more comes.
    fn wait_for(&self, manager: &mut Running, is_enough: impl Fn(&str) -> bool) {
        let (mut length, mut since) = (0, Instant::now());
        comes_true(|| {
            let log = self.site.instance.log();
            if log.len() != length {
                (length, since) = (log.len(), Instant::now());
            }
            is_enough(&log) || !manager.is_alive() || since.elapsed() > QUIET
        });
    }

    /// Ends the manager, if it still runs, and waits for all of its helpers.
    fn end(&self, mut manager: Running) -> Result<(), String> {
        let _ = unix::process::kill(self.send_of(&manager), Signal::SIGTERM);
        let left = self.site.end_of(&mut manager);
        left.map_err(|left| format!("{left}\n{}", self.site.instance.log()))
    }

    /// qmail-send itself: what was started, or the child of `faulty` that has become it.
    fn send_of(&self, manager: &Running) -> Pid {
        let children = children_of(manager);
        let mut processes = self.site.instance.processes().into_iter();
        let behind = processes.find(|(pid, program)| program == "qmail-send" && children.contains(pid));
        let is_behind = ["qmail-start", "qmail-send"].contains(&self.program);
        Pid::from_raw(behind.filter(|_| is_behind).map_or(manager.pid(), |(pid, _)| pid))
    }

    /// Lets a manager with nothing wrong take over; then holds every mailbox against the invariant.
    fn recover(&mut self, name: &str, report: &mut Report) {
        self.sink.set_busy(false);
        self.site.recover(name);
        let ledger = Ledger::default();
        for _ in 0..2 {
            let number = ledger.draw();
            ledger.acknowledge(number);
            ledger.hit(number);
        }
        report.acknowledged(2);
        let is_first = |number: Number| number == Number(0);
        let bounces = self.site.take_bounces();
        for bounce in bounces.iter().filter(|bounce| !is_of_unknown_user(bounce)) {
            report.wrong(name, &format!("a bounce: {bounce}"));
        }
        report.judged(name, ledger.judge("joe", &self.site.take_delivered(), |_| true));
        report.judged(name, ledger.judge("sender", &bounces, |_| true));
        let taken = self.sink.take();
        for (recipient, mailbox) in [("FAR@", "far"), ("LATER@", "later")] {
            let is_there = |recipients: &[String]| {
                recipients.iter().any(|other| other.to_ascii_uppercase().starts_with(recipient))
            };
            let texts = taken.iter().filter(|taken| is_there(&taken.recipients));
            let texts: Vec<String> = texts.map(|taken| taken.text.clone()).collect();
            report.judged(name, ledger.judge(mailbox, &texts, is_first));
        }
    }
}

/// Whether a bounce tells of nothing else. It may tell of him twice: a crash behind the record of his failure makes a second
/// attempt.
fn is_of_unknown_user(bounce: &str) -> bool {
    let mut recipients = bounce.split("\n<").skip(1).peekable();
    recipients.peek().is_some() && recipients.all(|recipient| recipient.starts_with("gone@"))
}
