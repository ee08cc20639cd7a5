//! How many points were tried, and what was found: a line for each experiment.
//!
//! A *point* is one experiment with one fault: a process killed, a call that failed, power lost, a resource gone; and
//! a judgement of everything after the recovery. Faults that never came to pass are not counted.
//!
//! `make crash` sets CRASH=whole, and CRASH_REPORT to a file that gets the lines. Without them each experiment takes a sample
//! of its points, the same ones each time, that together last no longer than three minutes.

use std::fs::OpenOptions;
use std::io::Write;

/// How much is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A part of the points, for each `make test`.
    Sample,
    /// All of them, for `make crash`.
    Whole,
}

impl Scope {
    /// As the environment has it.
    pub fn of_this_run() -> Scope {
        match std::env::var("CRASH") {
            Ok(word) if word == "whole" => Scope::Whole,
            Ok(word) => panic!("CRASH={word}: only CRASH=whole is known"),
            Err(_) => Scope::Sample,
        }
    }

    /// The points to try: all, or about `sample` of them spread evenly.
    pub fn of<T>(self, points: Vec<T>, sample: usize) -> Vec<T> {
        let count = points.len();
        if self == Scope::Whole || count <= sample {
            return points;
        }
        let is_taken = |place: usize| place * sample / count != (place + 1) * sample / count;
        points.into_iter().enumerate().filter(|(place, _)| is_taken(*place)).map(|(_, point)| point).collect()
    }
}

/// What one experiment saw.
#[derive(Debug)]
pub struct Report {
    kind: &'static str,
    subject: String,
    points: usize,
    acknowledged: usize,
    extra_copies: usize,
    wrong: Vec<String>,
}

impl Report {
    /// An experiment of this kind (`kill`, `power`, ...) on this subject (a program, a file system ...).
    pub fn new(kind: &'static str, subject: impl Into<String>) -> Report {
        Report {
            kind,
            subject: subject.into(),
            points: 0,
            acknowledged: 0,
            extra_copies: 0,
            wrong: Vec::new(),
        }
    }

    /// Points that came to pass.
    pub fn points(&mut self, count: usize) {
        self.points += count;
    }

    /// Messages that the queue has acknowledged.
    pub fn acknowledged(&mut self, count: usize) {
        self.acknowledged += count;
    }

    /// What was found after one recovery; `point` says where it was.
    pub fn judged(&mut self, point: &str, verdict: super::ledger::Verdict) {
        self.extra_copies += verdict.extra_copies;
        self.wrong.extend(verdict.wrong.into_iter().map(|what| format!("{point}: {what}")));
    }

    /// Something that is wrong whatever the mailboxes say.
    pub fn wrong(&mut self, point: &str, what: &str) {
        self.wrong.push(format!("{point}: {what}"));
    }

    /// Takes in what another part of the same experiment saw.
    pub fn join(&mut self, part: Report) {
        self.points += part.points;
        self.acknowledged += part.acknowledged;
        self.extra_copies += part.extra_copies;
        self.wrong.extend(part.wrong);
    }

    /// Puts the line into the report.
    ///
    /// # Panics
    /// If the invariant was broken anywhere, or nothing was tried.
    pub fn finish(self) {
        let line = format!(
            "{}\t{}\t{}\t{}\t{}\t{}\n",
            self.kind,
            self.subject,
            self.points,
            self.acknowledged,
            self.extra_copies,
            self.wrong.len()
        );
        if let Ok(path) = std::env::var("CRASH_REPORT") {
            let file = OpenOptions::new().create(true).append(true).open(&path);
            file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the report");
        }
        assert!(self.wrong.is_empty(), "{} {}:\n{}", self.kind, self.subject, self.wrong.join("\n"));
        assert!(self.points > 0, "{} {}: no point was tried", self.kind, self.subject);
    }
}

#[test]
fn a_sample_is_spread_over_all_points() {
    assert_eq!(Scope::Sample.of((0..10).collect(), 3), [3, 6, 9]);
    assert_eq!(Scope::Sample.of((0..2).collect(), 3), [0, 1]);
    assert_eq!(Scope::Whole.of((0..10).collect(), 3).len(), 10);
}
