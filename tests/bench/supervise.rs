//! What supervised services cost while they do nothing, and how soon one that dies is back: our supervise, that of
//! daemontools, and s6-supervise.
//!
//! Memory is that of the supervise processes alone, in two ways: PSS, in which a page that several processes share is
//! divided among them, so that the sum is what the machine lacks; and RSS, in which it counts for each.

use crate::compare::{Better, Comparison, ManyTrial, ROUNDS, Table, Trial};
use harness::{Running, installed, program, put_program, scratch, wait_until};
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use unix::process::{Pid, kill};
use unix::signal::Signal;

/// Services that do nothing.
const IDLE: usize = 1000;
/// Services that are killed, one after the other.
const KILLED: usize = 50;
/// Longer than any supervise waits before it starts again what it has just started.
const SETTLED: Duration = Duration::from_millis(1500);
/// How long the idle are watched.
const WATCHED: Duration = Duration::from_secs(5);

/// Memory and processor time of the idle; time from a death to the next start.
pub fn run() -> Vec<Comparison> {
    let table = |title: &str, unit| Table { title: title.to_owned(), unit, better: Better::Less, goal: 1.0 };
    let tables = vec![
        table("1,000 idle services: memory of a supervise (PSS)", "kB"),
        table("1,000 idle services: memory of a supervise (RSS)", "kB"),
        table("1,000 idle services: processor time of a supervise, its start and five idle seconds", "µs"),
    ];
    let idle = |supervise: &Path| {
        let supervised = Supervised::start(supervise, IDLE, "exec sleep 100000");
        let time = supervised.time();
        vec![supervised.memory("Pss:"), supervised.memory("Rss:"), time]
    };
    let trials =
        contestants().into_iter().map(|(name, path)| ManyTrial::new(name, move || idle(&path))).collect();
    let mut comparisons = Comparison::run_many(tables, ROUNDS, trials);
    let trials =
        contestants().into_iter().map(|(name, path)| Trial::new(name, move || restart(&path))).collect();
    let title = "From the death of a service to its next start";
    comparisons.push(Comparison::run(title, "ms", Better::Less, 1.0, ROUNDS, trials));
    comparisons
}

/// Each supervise that is installed, ours first.
fn contestants() -> Vec<(&'static str, PathBuf)> {
    let all = [
        ("supervise", Some(program("supervise"))),
        ("supervise of daemontools", installed("supervise")),
        ("s6-supervise", installed("s6-supervise")),
    ];
    all.into_iter().filter_map(|(name, path)| Some((name, path?))).collect()
}

/// Services that run, each with a supervise of its own.
struct Supervised {
    place: TempDir,
    supervises: Vec<Running>,
}

impl Supervised {
    fn start(supervise: &Path, how_many: usize, script: &str) -> Supervised {
        let place = scratch();
        let run = place.path().join("run");
        put_program(&run, format!("#!/bin/sh\n{script}\n"));
        let supervises = (0..how_many).map(|number| {
            let directory = place.path().join(number.to_string());
            fs::create_dir(&directory).expect("a service directory");
            fs::hard_link(&run, directory.join("run")).expect("its program");
            let mut command = Command::new(supervise);
            Running::start(command.arg(&directory).stdin(Stdio::null()))
        });
        let supervised = Supervised { supervises: supervises.collect(), place };
        for supervise in &supervised.supervises {
            wait_until("a service", || service_of(supervise).is_some());
        }
        std::thread::sleep(SETTLED);
        supervised
    }

    /// Kilobytes of one supervise, on average.
    fn memory(&self, kind: &str) -> f64 {
        self.average(|pid| {
            let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("its memory");
            let line = text.lines().find_map(|line| line.strip_prefix(kind)).expect("a line of this kind");
            line.trim().trim_end_matches(" kB").parse().expect("a number")
        })
    }

    /// Microseconds of one supervise since its start, on average, after it was left alone for a while.
    fn time(&self) -> f64 {
        std::thread::sleep(WATCHED);
        self.average(|pid| {
            let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).expect("its time");
            let nanoseconds: f64 =
                text.split(' ').next().and_then(|word| word.parse().ok()).expect("a number");
            nanoseconds / 1000.0
        })
    }

    #[allow(clippy::cast_precision_loss, reason = "a thousand of them")]
    fn average(&self, of: impl Fn(i32) -> f64) -> f64 {
        let sum: f64 = self.supervises.iter().map(|supervise| of(supervise.pid())).sum();
        sum / self.supervises.len() as f64
    }
}

impl Drop for Supervised {
    /// Each make has signals of its own, so nobody is asked.
    fn drop(&mut self) {
        let services: Vec<i32> = self.supervises.iter().filter_map(service_of).collect();
        self.supervises.clear();
        for service in services {
            let _ = kill(Pid::from_raw(service), Signal::SIGKILL);
        }
    }
}

/// The process of a service, once it is its program.
fn service_of(supervise: &Running) -> Option<i32> {
    let pid = supervise.pid();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    let service: i32 = children.split_whitespace().next()?.parse().ok()?;
    let name = fs::read_to_string(format!("/proc/{service}/comm")).ok()?;
    (name == "sleep\n").then_some(service)
}

/// Milliseconds until a service that is killed has started again, and says so; the median of several.
fn restart(supervise: &Path) -> f64 {
    let supervised = Supervised::start(supervise, KILLED, "echo >started; exec sleep 100000");
    let mut taken: Vec<f64> = (0..KILLED).map(|number| restart_of(&supervised, number)).collect();
    taken.sort_by(f64::total_cmp);
    taken[KILLED / 2]
}

fn restart_of(supervised: &Supervised, number: usize) -> f64 {
    let started = supervised.place.path().join(number.to_string()).join("started");
    let mut started = in_place_of(&started);
    let service = service_of(&supervised.supervises[number]).expect("a service that runs");
    let begin = Instant::now();
    kill(Pid::from_raw(service), Signal::SIGKILL).expect("a service to kill");
    started.read_exact(&mut [0]).expect("a line from the new one");
    begin.elapsed().as_secs_f64() * 1000.0
}

/// A FIFO in place of the file that the service has written so far, open on both sides so that nobody waits.
fn in_place_of(path: &PathBuf) -> File {
    fs::remove_file(path).expect("the file of the first start");
    unix::fifo::make(path).expect("a FIFO");
    OpenOptions::new().read(true).write(true).open(path).expect("both sides of the FIFO")
}
