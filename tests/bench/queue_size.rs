//! What a long queue costs: to start with, to hold, and for mail that comes then. There is no other program to measure beside: all figures
//! should be flat, per message or altogether.

use crate::compare::Comparison;
use harness::figures::proportional;
use harness::{HOST, Instance, Stage};
use std::fs::File;
use std::io::Read;
use std::time::{Duration, Instant};

/// Messages in the queue.
const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
/// A new message behind old ones in todo waits for their deliveries; more of them say nothing else.
const MOST_IN_FRONT: usize = 10_000;
/// New messages of which the middle one counts.
const TRIALS: usize = 5;

/// Prints its own table.
pub fn run() -> Vec<Comparison> {
    println!("### A long queue\n");
    println!(
        "| messages | start with all waiting | memory of qmail-send for each | new mail to first attempt, all waiting \
         | start with all in todo to first attempt | new mail to first attempt, all in todo |"
    );
    println!("|---|---|---|---|---|---|");
    let empty = Waiting::of(0);
    for size in SIZES {
        let waiting = Waiting::of(size);
        let todo = Todo::of(size);
        let for_each = waiting.memory.saturating_sub(empty.memory) / u64::try_from(size).unwrap_or(u64::MAX);
        println!(
            "| {size} | {} | {for_each} bytes | {} | {} | {} |",
            shown(waiting.start),
            shown(waiting.new_mail),
            shown(todo.first),
            todo.new_mail.map_or("-".to_owned(), shown)
        );
    }
    println!();
    Vec::new()
}

fn shown(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// A queue of messages none of which is due.
struct Waiting {
    start: Duration,
    memory: u64,
    new_mail: Duration,
}

impl Waiting {
    fn of(size: usize) -> Waiting {
        let (mut instance, anybody) = installation();
        instance.fill_queue(size, Stage::Waiting, "", &anybody);
        let begin = Instant::now();
        instance.start();
        let start = begin.elapsed();
        let memory = proportional(instance.pid_of("qmail-send").expect("a qmail-send"));
        let mut times: Vec<Duration> = (1..=TRIALS)
            .map(|trial| {
                let begin = Instant::now();
                assert_eq!(instance.enqueue("", &[&anybody], "Subject: new\n\nx\n"), 0);
                time_until(&instance, &format!("starting delivery {trial}:"), begin)
            })
            .collect();
        times.sort();
        let new_mail = times.get(TRIALS / 2).copied().unwrap_or_default();
        instance.stop();
        Waiting { start, memory, new_mail }
    }
}

/// A queue of messages none of which is prepared.
struct Todo {
    first: Duration,
    new_mail: Option<Duration>,
}

impl Todo {
    fn of(size: usize) -> Todo {
        let (mut instance, anybody) = installation();
        instance.fill_queue(size, Stage::Todo, "", &anybody);
        let begin = Instant::now();
        instance.start();
        let first = time_until(&instance, "starting delivery 1:", begin);
        let new_mail = (size <= MOST_IN_FRONT).then(|| {
            instance.alias("fresh", "#\n");
            let fresh = format!("fresh@{HOST}");
            let begin = Instant::now();
            assert_eq!(instance.enqueue("", &[&fresh], "Subject: new\n\nx\n"), 0);
            time_until(&instance, &format!("to local {fresh}"), begin)
        });
        Todo { first, new_mail }
    }
}

/// An installation in memory with a recipient whose mail is thrown away.
fn installation() -> (Instance, String) {
    let instance = Instance::in_memory();
    instance.alias("anybody", "#\n");
    (instance, format!("anybody@{HOST}"))
}

/// How long it took until this was logged. A long log is read once: reading takes from the processor that is measured.
fn time_until(instance: &Instance, part: &str, begin: Instant) -> Duration {
    let mut log = File::open(instance.beside("log")).expect("the log");
    let mut unseen = Vec::new();
    let is_there = |text: &[u8]| text.windows(part.len()).any(|window| window == part.as_bytes());
    loop {
        log.read_to_end(&mut unseen).expect("the log");
        if is_there(&unseen) {
            return begin.elapsed();
        }
        // The part may be there in part.
        unseen.drain(..unseen.len().saturating_sub(part.len()));
        assert!(begin.elapsed() < PATIENCE, "waited in vain for {part:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Longer than anything takes that is worth a figure.
const PATIENCE: Duration = Duration::from_secs(300);
