//! A gigabyte of lines through a pipe into files of a megabyte: our loggers, and those of daemontools, s6 and runit.
//!
//! With stamps are compared those who write them, without stamps those who do not. All keep ten files in the same place.

use crate::compare::{Better, Comparison, Trial};
use harness::{installed, program, programs, scratch};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

const MEGABYTES: usize = 1000;
const SIZE: usize = 1_000_000;
const FILES: u64 = 10;
const LINE: usize = 100;
const GOAL: f64 = 2.0;
/// The slowest of the others takes its time.
const ROUNDS: usize = 3;

/// Megabytes a second, of what is logged.
pub fn run() -> Vec<Comparison> {
    let lines = [&[b'x'; LINE - 1][..], b"\n"].concat().repeat(SIZE / LINE);
    let compare = |what: &str, loggers: Vec<Logger>| {
        let title = format!("loggers: {MEGABYTES} MB in lines of {LINE} bytes, {what}");
        let trials = loggers.into_iter().map(|logger| {
            let lines = &lines;
            Trial::new(logger.name, move || rate(&logger.path, &logger.words, lines))
        });
        Comparison::run(&title, "MB/s", Better::More, GOAL, ROUNDS, trials.collect())
    };
    let cyclog = ["--", "cyclog", "-s1000000", "-n10", "log"];
    vec![
        compare("no stamps", with(ours("cyclog", &cyclog[2..]), plain())),
        compare("stamps", with(ours("accustamp", &cyclog), stamping())),
        compare("stamps", with(ours("multilog", &["t", "s1000000", "n10", "./log"]), stamping())),
    ]
}

/// A logger that keeps its files in the directory `log`.
struct Logger {
    name: String,
    path: PathBuf,
    words: Vec<&'static str>,
}

fn ours(name: &str, words: &[&'static str]) -> Logger {
    Logger { name: format!("{name} {}", words.join(" ")), path: program(name), words: words.to_vec() }
}

fn theirs(name: &str, package: &str, words: &[&'static str]) -> Option<Logger> {
    let name_shown = format!("{name} {} of {package}", words.join(" "));
    installed(name).map(|path| Logger { name: name_shown, path, words: words.to_vec() })
}

fn plain() -> Vec<Option<Logger>> {
    vec![
        theirs("multilog", "daemontools", &["s1000000", "n10", "./log"]),
        theirs("s6-log", "s6", &["n10", "s1000000", "./log"]),
        theirs("svlogd", "runit", &["./log"]),
    ]
}

fn stamping() -> Vec<Option<Logger>> {
    vec![
        theirs("multilog", "daemontools", &["t", "s1000000", "n10", "./log"]),
        theirs("s6-log", "s6", &["n10", "s1000000", "t", "./log"]),
        theirs("svlogd", "runit", &["-tt", "./log"]),
    ]
}

fn with(ours: Logger, others: Vec<Option<Logger>>) -> Vec<Logger> {
    std::iter::once(ours).chain(others.into_iter().flatten()).collect()
}

/// Logs everything, until the logger has ended.
fn rate(logger: &Path, words: &[&str], megabyte: &[u8]) -> f64 {
    let place = scratch();
    let log = place.path().join("log");
    fs::create_dir(&log).expect("a log directory");
    // What svlogd is told, in its own way.
    fs::write(log.join("config"), "s1000000\nn10\n").expect("a configuration");
    let path = format!("{}:/usr/bin:/bin", programs().display());
    let mut command = Command::new(logger);
    command.args(words).current_dir(place.path()).env("PATH", path).stdin(Stdio::piped());
    let start = Instant::now();
    let mut child = command.spawn().expect("a logger");
    let mut pipe = child.stdin.take().expect("a pipe");
    for _ in 0..MEGABYTES {
        pipe.write_all(megabyte).expect("a logger that reads");
    }
    drop(pipe);
    let status = child.wait().expect("the logger's end");
    let seconds = start.elapsed().as_secs_f64();
    assert!(status.success(), "{command:?}: {status}");
    let sizes = fs::read_dir(&log).expect("the log").map(|entry| entry.expect("an entry").metadata());
    let kept: u64 = sizes.map(|metadata| metadata.expect("a file").len()).sum();
    let file = SIZE as u64;
    assert!((file * (FILES - 2)..=file * (FILES + 2)).contains(&kept), "{command:?} kept {kept} bytes");
    MEGABYTES as f64 / seconds
}
