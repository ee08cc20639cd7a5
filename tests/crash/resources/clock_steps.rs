//! The clock is set, forward and back, while there is a message in each state.
//!
//! Known messages keep their age: none expires because the clock went forward, none waits longer than its schedule because it
//! went back, and whoever is at work goes on. If the queue manager was down meanwhile it cannot know that the clock was set; then a
//! message may be as old as it looks, so its next attempt is its last, but still nothing is lost.

use super::super::ledger::Verdict;
use super::super::report::{Report, Scope};
use super::half_sent::HalfSent;
use super::in_every_state::{Gates, Messages, is_in, send};
use super::laboratory::Laboratory;
use super::wall_clock::{WallClock, seconds};
use harness::wait_until;
use std::fs;
use unix::process::Pid;
use unix::signal::Signal;

const DAY: i64 = 86_400;
const TEN_YEARS: i64 = 3652 * DAY;
const STEPS: [i64; 6] = [1, -1, DAY, -DAY, TEN_YEARS, -TEN_YEARS];
/// Local retries come at the ages of 100 and 400 seconds: so long a message may wait that was tried twice.
const LONGEST_WAIT: i64 = 400;
/// Experiments in the sample, each with a message in every state.
const SAMPLE: usize = 4;
/// Experiments at a time: they wait more than they work.
const AT_A_TIME: usize = 4;

/// One experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Experiment {
    step: i64,
    /// Whether the clock is put right again afterwards.
    and_back: bool,
    /// Whether the queue manager is killed before the step, and started after it.
    restarted: bool,
}

impl Experiment {
    fn all() -> Vec<Experiment> {
        let one = |step, and_back, restarted| Experiment { step, and_back, restarted };
        let of_step = |step| {
            [one(step, false, false), one(step, true, false), one(step, false, true), one(step, true, true)]
        };
        STEPS.into_iter().flat_map(of_step).collect()
    }

    /// Whether a started queue manager sees messages that look older than they may become.
    fn looks_expired(self) -> bool {
        self.restarted && self.step >= TEN_YEARS
    }

    /// Whether a started queue manager sees messages from the future, which wait from now on as if they were new.
    fn looks_new(self) -> bool {
        self.restarted && self.step <= -DAY
    }
}

/// R6
#[test]
fn r6_a_clock_that_is_set_loses_expires_and_delays_no_message_in_any_state() {
    let experiments = Scope::of_this_run().of(Experiment::all(), SAMPLE);
    let mut report = Report::new("resources", "clock");
    for some in experiments.chunks(AT_A_TIME) {
        let results: Vec<Option<(Experiment, usize, Verdict)>> = std::thread::scope(|scope| {
            let running: Vec<_> =
                some.iter().map(|experiment| scope.spawn(move || run(*experiment))).collect();
            running.into_iter().map(|thread| thread.join().expect("an experiment")).collect()
        });
        for result in results {
            // Without another clock nothing can be tried, as was said.
            let Some((experiment, messages, verdict)) = result else { return };
            report.points(messages);
            report.acknowledged(messages);
            report.judged(&format!("{experiment:?}"), verdict);
        }
    }
    report.finish();
}

fn run(experiment: Experiment) -> Option<(Experiment, usize, Verdict)> {
    let mut laboratory = Laboratory::new(|_| {});
    let mut clock = WallClock::new(&laboratory.instance)?;
    laboratory.variables = clock.variables();
    let gates = Gates::new(&laboratory);
    let (messages, receiving) = Messages::begin(&mut laboratory);
    if experiment.restarted {
        kill_the_manager(&mut laboratory, receiving.len());
    } else {
        // It finds the message that is sent now after the step.
        laboratory.instance.signal(Signal::SIGSTOP);
    }
    send(&laboratory, messages.queued, &["joe"]);

    clock.set(&laboratory.instance, experiment.step);
    if experiment.looks_expired() {
        // The next attempt is the last: it should be a good one for those who can have one.
        gates.open_first();
    }
    start_again(&mut laboratory, &experiment);
    if experiment.and_back {
        wait_until("the new message", || is_in(&laboratory, "joe", messages.queued));
        if experiment.restarted {
            kill_the_manager(&mut laboratory, receiving.len());
        }
        clock.set(&laboratory.instance, -experiment.step);
        start_again(&mut laboratory, &experiment);
    }
    gates.open_first();
    laboratory.next_host.be_silent(false);
    let verdict = finish(&mut laboratory, &experiment, &clock, &messages, receiving, &gates);
    Some((experiment, messages.count(), verdict))
}

/// The queue manager and its helpers; deliveries that run go on, and nobody hears of their end.
///
/// Not in the middle of a removal, after which the message file would stay for the collector: the kill sweeps have that. Here the
/// queue has to be empty in the end.
fn kill_the_manager(laboratory: &mut Laboratory, receiving: usize) {
    laboratory.ledger.hit_all();
    wait_until("a moment in which no message is being removed", || {
        laboratory.instance.signal(Signal::SIGSTOP);
        let is_stopped = harness::settles(|| laboratory.instance.pid_of("qmail-send").is_none_or(is_stopped));
        let is_whole = is_stopped && messages_without_info_or_todo(laboratory) == receiving;
        if !is_whole {
            laboratory.instance.signal(Signal::SIGCONT);
        }
        is_whole
    });
    laboratory.leave_manager();
    for (pid, name) in laboratory.instance.processes() {
        if ["qmail-send", "qmail-lspawn", "qmail-rspawn", "qmail-clean"].contains(&name.as_str()) {
            let _ = unix::process::kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
    wait_until("no queue manager", || laboratory.instance.pid_of("qmail-send").is_none());
}

fn is_stopped(pid: i32) -> bool {
    harness::figures::stat(pid).is_some_and(|stat| stat.first().is_some_and(|state| state == "T"))
}

/// Messages that are being received, or removed.
fn messages_without_info_or_todo(laboratory: &Laboratory) -> usize {
    let queue = laboratory.instance.queue();
    let messages = queue.iter().filter_map(|name| name.strip_prefix("mess/"));
    let is_known = |message: &str| {
        let number = message.rsplit('/').next().expect("a number");
        queue.contains(&format!("info/{message}")) || queue.contains(&format!("todo/{number}"))
    };
    messages.filter(|message| !is_known(message)).count()
}

fn start_again(laboratory: &mut Laboratory, experiment: &Experiment) {
    if experiment.restarted {
        laboratory.start_well();
    }
}

/// Everything comes to its end, by itself as far as that is soon enough to be waited for.
fn finish(
    laboratory: &mut Laboratory,
    experiment: &Experiment,
    clock: &WallClock,
    messages: &Messages,
    receiving: [HalfSent; 2],
    gates: &Gates,
) -> Verdict {
    let mut wrong = Vec::new();
    for half_sent in receiving {
        let number = half_sent.number;
        match half_sent.finish() {
            0 => laboratory.ledger.acknowledge(number),
            status => wrong.push(format!("message {} was being received: exit {status}", number.0)),
        }
    }
    if experiment.looks_new() {
        wrong.extend(waits_too_long(laboratory, clock));
        laboratory.start_well();
        laboratory.instance.signal(Signal::SIGALRM);
    }
    wait_until("the messages that need no help", || {
        messages.for_joe().iter().all(|number| is_in(laboratory, "joe", *number))
            && !laboratory.next_host.texts().is_empty()
            && is_in(laboratory, "bounces", messages.with_bounce)
    });
    if experiment.looks_expired() {
        // Which shows that the clock is believed. If it was put right soon enough, there are more attempts.
        let is_bounced = || is_in(laboratory, "bounces", messages.stubborn);
        wait_until("its last attempt", || experiment.and_back || is_bounced());
    } else {
        wait_until("another deferral", || laboratory.instance.log().contains(": deferral: "));
        if is_in(laboratory, "bounces", messages.stubborn) {
            wrong.push("a message expired before its time".to_owned());
        }
    }
    gates.open_second();
    let done = harness::settles(|| {
        laboratory.instance.signal(Signal::SIGALRM);
        laboratory.instance.queue().is_empty()
    });
    if !done {
        wrong.push(format!("still in the queue: {:?}", laboratory.instance.queue()));
    }
    wrong.extend(laboratory.stop().err());
    Verdict { wrong, ..Verdict::default() }.and(messages.judge(laboratory))
}

/// Ends the queue manager, which writes down when it would have tried each message again: none may wait longer than its schedule.
fn waits_too_long(laboratory: &mut Laboratory, clock: &WallClock) -> Vec<String> {
    laboratory.next_host.be_silent(false);
    let stopped = laboratory.stop().err();
    let now = clock.now();
    let local = laboratory.instance.queue().into_iter().filter(|name| name.starts_with("local/"));
    let late = local.filter_map(|name| {
        let metadata = fs::metadata(laboratory.instance.path("queue").join(&name)).expect("its times");
        let wait = clock.of_file(seconds(metadata.modified().expect("a time"))) - now;
        (wait > LONGEST_WAIT).then(|| format!("{name} would wait for {wait} seconds"))
    });
    stopped.into_iter().chain(late).collect()
}
