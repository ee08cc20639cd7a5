//! The clock is set, forward and back, while there is a message in each state.
//!
//! Known messages keep their age: none expires because the clock went forward, none waits longer than its schedule because it
//! went back, and whoever is at work goes on. If the queue manager was down meanwhile it cannot know that the clock was set; then a
//! message may be as old as it looks, so its next attempt is its last, but still nothing is lost.

use super::super::ledger::{Number, Verdict};
use super::super::report::{Report, Scope};
use super::half_sent::HalfSent;
use super::laboratory::{Laboratory, sender};
use super::wall_clock::{WallClock, move_file, seconds};
use harness::{HOST, messages, wait_until};
use std::fs;
use unix::process::Pid;
use unix::signal::Signal;

const DAY: i64 = 86_400;
const TEN_YEARS: i64 = 3652 * DAY;
const STEPS: [i64; 6] = [1, -1, DAY, -DAY, TEN_YEARS, -TEN_YEARS];
/// A message that failed for now is tried again at this age, and in an experiment it is three seconds younger.
const FIRST_RETRY: i64 = 100;
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

/// A message in each state.
struct Messages {
    /// S5, to be tried again in a moment.
    waiting: Number,
    /// The same, and it will fail again.
    stubborn: Number,
    /// S5, with a record of one recipient's failure, waiting for the other.
    with_bounce: Number,
    /// Being delivered.
    local: Number,
    /// Being delivered to a host that does not say a word yet.
    remote: Number,
    /// S2, S3.
    half_sent: [HalfSent; 2],
    /// S4.
    queued: Number,
}

fn run(experiment: Experiment) -> Option<(Experiment, usize, Verdict)> {
    let mut laboratory = Laboratory::new(|_| {});
    let mut clock = WallClock::new(&laboratory.instance)?;
    laboratory.variables = clock.variables();
    let gates = Gates::new(&laboratory);
    let (waiting, stubborn, with_bounce) = put_off(&mut laboratory);
    let messages = begin(&laboratory, &experiment, waiting, stubborn, with_bounce);
    if experiment.restarted {
        kill_the_manager(&mut laboratory);
    }
    let queued = messages.queued;
    send(&laboratory, queued, &["joe"]);

    clock.set(&laboratory.instance, experiment.step);
    if experiment.looks_expired() {
        // The next attempt is the last: it should be a good one for those who can have one.
        gates.open_first();
    }
    start_again(&mut laboratory, &experiment);
    if experiment.and_back {
        wait_until("the new message", || is_in(&laboratory, "joe", queued));
        if experiment.restarted {
            kill_the_manager(&mut laboratory);
        }
        clock.set(&laboratory.instance, -experiment.step);
        start_again(&mut laboratory, &experiment);
    }
    gates.open_first();
    laboratory.next_host.be_silent(false);
    let ends = finish(&mut laboratory, &experiment, &clock, messages, &gates);
    Some((experiment, ends.count, ends.verdict))
}

/// Files that let deliveries succeed once they are there.
struct Gates {
    first: std::path::PathBuf,
    second: std::path::PathBuf,
}

impl Gates {
    /// Recipients: `later` and `blocked`, for whom the first gate has to be open, and `never`, for whom the second.
    fn new(laboratory: &Laboratory) -> Gates {
        let instance = &laboratory.instance;
        let gates = Gates { first: instance.beside("first"), second: instance.beside("second") };
        let (first, second) = (gates.first.display(), gates.second.display());
        instance.alias("later", &format!("|test -f {first} || exit 111\n./joe/\n"));
        instance.alias("never", &format!("|test -f {second} || exit 111\n./joe/\n"));
        instance.alias("blocked", &format!("|until test -f {first}; do sleep 0.05; done\n./joe/\n"));
        gates
    }

    fn open_first(&self) {
        fs::write(&self.first, "").expect("a gate");
    }

    fn open_second(&self) {
        fs::write(&self.second, "").expect("a gate");
    }
}

fn send(laboratory: &Laboratory, number: Number, recipients: &[&str]) {
    let address =
        |name: &&str| if name.contains('@') { (*name).to_owned() } else { format!("{name}@{HOST}") };
    let addresses: String = recipients.iter().map(|name| format!("T{}\0", address(name))).collect();
    let envelope = format!("F{}\0{addresses}\0", sender());
    let mut command = laboratory.command(&[laboratory.program("qmail-queue")]);
    let status = laboratory.instance.run_queue(&mut command, number.text().as_bytes(), envelope.as_bytes());
    assert_eq!(status, 0);
    laboratory.ledger.acknowledge(number);
}

/// Three messages whose first attempt has failed for now, and which are due again in three seconds.
fn put_off(laboratory: &mut Laboratory) -> (Number, Number, Number) {
    let [waiting, stubborn, with_bounce] = [(); 3].map(|()| laboratory.ledger.draw());
    send(laboratory, waiting, &["later"]);
    send(laboratory, stubborn, &["never"]);
    send(laboratory, with_bounce, &["later", "gone"]);
    laboratory.start_well();
    wait_until("three deferrals and a failure", || {
        let log = laboratory.instance.log();
        log.matches(": deferral: ").count() == 3 && log.contains(": failure: ")
    });
    laboratory.stop().expect("an end");
    for name in laboratory.instance.queue() {
        if name.starts_with("info/") || name.starts_with("local/") {
            move_file(&laboratory.instance.path("queue").join(name), 3 - FIRST_RETRY);
        }
    }
    laboratory.start_well();
    (waiting, stubborn, with_bounce)
}

/// Deliveries that begin, and messages that come in.
fn begin(
    laboratory: &Laboratory,
    experiment: &Experiment,
    waiting: Number,
    stubborn: Number,
    with_bounce: Number,
) -> Messages {
    laboratory.next_host.be_silent(true);
    let [local, remote, queued] = [(); 3].map(|()| laboratory.ledger.draw());
    send(laboratory, local, &["blocked"]);
    send(laboratory, remote, &["somebody@far.example"]);
    wait_until("two deliveries", || {
        let running = laboratory.instance.processes();
        ["qmail-local", "qmail-remote"].iter().all(|agent| running.iter().any(|(_, name)| name == agent))
    });
    let half_sent = [HalfSent::new(laboratory, false), HalfSent::new(laboratory, true)];
    if !experiment.restarted {
        // It finds the message that is sent next after the step.
        laboratory.instance.signal(Signal::SIGSTOP);
    }
    Messages { waiting, stubborn, with_bounce, local, remote, half_sent, queued }
}

/// The queue manager and its helpers; deliveries that run go on, and nobody hears of their end.
fn kill_the_manager(laboratory: &mut Laboratory) {
    laboratory.ledger.hit_all();
    laboratory.leave_manager();
    for (pid, name) in laboratory.instance.processes() {
        if ["qmail-send", "qmail-lspawn", "qmail-rspawn", "qmail-clean"].contains(&name.as_str()) {
            let _ = unix::process::kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
    wait_until("no queue manager", || laboratory.instance.pid_of("qmail-send").is_none());
}

fn start_again(laboratory: &mut Laboratory, experiment: &Experiment) {
    if experiment.restarted {
        laboratory.start_well();
    }
}

fn is_in(laboratory: &Laboratory, mailbox: &str, number: Number) -> bool {
    let texts = messages(&laboratory.instance.path("alias").join(mailbox));
    texts.iter().any(|text| Number::of(text) == Ok(number))
}

struct Ends {
    count: usize,
    verdict: Verdict,
}

/// Everything comes to its end, by itself as far as that is soon enough to be waited for.
fn finish(
    laboratory: &mut Laboratory,
    experiment: &Experiment,
    clock: &WallClock,
    messages: Messages,
    gates: &Gates,
) -> Ends {
    let Messages { waiting, stubborn, with_bounce, local, remote, half_sent, queued } = messages;
    let [half, whole] = &half_sent;
    let expected = [waiting, with_bounce, local, queued, half.number, whole.number];
    let mut wrong = Vec::new();
    for half_sent in half_sent {
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
        expected.iter().all(|number| is_in(laboratory, "joe", *number))
            && !laboratory.next_host.messages().is_empty()
            && is_in(laboratory, "bounces", with_bounce)
    });
    if experiment.looks_expired() {
        // Which shows that the clock is believed.
        wait_until("its last attempt", || is_in(laboratory, "bounces", stubborn));
    } else {
        wait_until("another deferral", || laboratory.instance.log().contains(": deferral: "));
        if is_in(laboratory, "bounces", stubborn) {
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
    let verdict = judge(laboratory, &expected, stubborn, with_bounce, remote);
    Ends { count: expected.len() + 2, verdict: Verdict { wrong, ..Verdict::default() }.and(verdict) }
}

/// Ends the queue manager, which writes down when it would have tried each message again: none may wait longer than a new one.
fn waits_too_long(laboratory: &mut Laboratory, clock: &WallClock) -> Vec<String> {
    laboratory.next_host.be_silent(false);
    let stopped = laboratory.stop().err();
    let now = clock.now();
    let local = laboratory.instance.queue().into_iter().filter(|name| name.starts_with("local/"));
    let late = local.filter_map(|name| {
        let metadata = fs::metadata(laboratory.instance.path("queue").join(&name)).expect("its times");
        let wait = clock.of_file(seconds(metadata.modified().expect("a time"))) - now;
        (wait > FIRST_RETRY).then(|| format!("{name} would wait for {wait} seconds"))
    });
    stopped.into_iter().chain(late).collect()
}

fn judge(
    laboratory: &Laboratory,
    expected: &[Number],
    stubborn: Number,
    with_bounce: Number,
    remote: Number,
) -> Verdict {
    let in_maildir = |name: &str| messages(&laboratory.instance.path("alias").join(name));
    let is_about = |text: &String, number: Number| Number::of(text) == Ok(number);
    // The stubborn one is delivered or bounced; all others have one place where they have to be.
    let (about_it, bounces): (Vec<String>, Vec<String>) =
        in_maildir("bounces").into_iter().partition(|text| is_about(text, stubborn));
    let (delivered, others): (Vec<String>, Vec<String>) =
        in_maildir("joe").into_iter().partition(|text| is_about(text, stubborn));
    let ledger = &laboratory.ledger;
    let far = laboratory.next_host.messages();
    ledger
        .judge("joe", &others, |number| expected.contains(&number))
        .and(ledger.judge("joe or bounced", &[about_it, delivered].concat(), |number| number == stubborn))
        .and(ledger.judge("bounces", &bounces, |number| number == with_bounce))
        .and(ledger.judge("far", &far, |number| number == remote))
}
