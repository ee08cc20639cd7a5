//! Times and memory of our programs, each beside other programs that do the same, in the same run.
//!
//! `make bench` measures everything; `make bench BENCH="tcprules loggers"` only what is named. It prints tables in Markdown;
//! docs/benchmarks.md keeps the last ones, with the machine they are from. The programs measured are those of the release build.

mod compare;
mod loggers;
mod mail;
mod supervise;
mod tcprules;
mod tcpserver;

use compare::Comparison;

/// A part of what is measured: it does its work and returns its tables.
type Benchmark = fn() -> Vec<Comparison>;

/// The benchmarks by name, in the order of the tables.
const BENCHMARKS: &[(&str, Benchmark)] = &[
    ("tcpserver", tcpserver::run),
    ("tcprules", tcprules::run),
    ("loggers", loggers::run),
    ("supervise", supervise::run),
    ("mail-local", mail::local),
    ("mail-kept", mail::kept),
    ("mail-relay", mail::relay),
];

fn main() {
    // cargo passes options of its own test runner, such as --bench.
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    for want in &wanted {
        assert!(BENCHMARKS.iter().any(|(name, _)| means(want, name)), "{want}: no such benchmark");
    }
    let chosen = BENCHMARKS
        .iter()
        .filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|want| means(want, name)));
    for (name, benchmark) in chosen {
        eprintln!("{name} ...");
        for comparison in benchmark() {
            println!("{}", comparison.table());
        }
    }
}

/// Whether a word names a benchmark: `mail-local` one, `mail` all that begin so.
fn means(word: &str, name: &str) -> bool {
    name.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}
