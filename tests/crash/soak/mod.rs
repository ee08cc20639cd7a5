//! The complete suite under load, in which a random process is killed again and again.
//!
//! svscan runs the services as after boot; mail comes by SMTP and from qmail-inject, and goes to a maildir, an mbox, an address that
//! nobody has, and another host. First anybody but svscan may be killed, at any moment. Then the load goes on without kills, and
//! who lives long must keep its memory and its descriptors.
//!
//! `SOAK_SECONDS` says how long it takes, `SOAK_SEED` repeats the choices of an earlier run.

mod load;
mod long_lived;
mod suite;

use super::ledger::Ledger;
use super::report::Report;
use harness::Random;
use load::Load;
use long_lived::{Memory, descriptors, gained, zombies};
use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use suite::Suite;
use unix::process::Pid;
use unix::signal::Signal;

/// For each `make test`.
const SECONDS: u64 = 10;
/// How long there is mail before it is counted who has how many descriptors.
const WARM_UP: Duration = Duration::from_secs(1);
/// Between two kills, in milliseconds.
const SHORTEST_PAUSE: usize = 50;
const LONGEST_PAUSE: usize = 500;

/// R7
#[test]
fn r7_whoever_is_killed_under_load_all_mail_arrives_and_nobody_grows() {
    let seed = number_in("SOAK_SEED").unwrap_or_else(seed_of_this_moment);
    let whole = Duration::from_secs(number_in("SOAK_SECONDS").unwrap_or(SECONDS));
    println!("seed {seed}, {} seconds", whole.as_secs());
    let ledger = Ledger::default();
    let suite = Suite::start();
    let load = Load::new(&suite, &ledger);
    let kills = load.run_while(|| kill_for(whole * 3 / 5, &suite, &ledger, &mut Random::new(seed)));
    println!("killed: {kills:?}");
    suite.empty_the_queue();

    suite.end_orphans();
    // Kept programs that were killed last are there again with the next message, and whoever keeps them has a descriptor for each.
    load.run_while(|| std::thread::sleep(WARM_UP));
    suite.empty_the_queue();
    let before = descriptors(suite.wait_until_quiet());
    let memory = load.run_while(|| watch_for(whole * 2 / 5, &suite));
    suite.empty_the_queue();
    let processes = suite.wait_until_quiet();
    let after = descriptors(processes.clone());

    let mut verdict = load.judge(kills.get("qmail-local").copied().unwrap_or(0));
    verdict.wrong.extend(memory.growth());
    verdict.wrong.extend(zombies(&processes));
    verdict.wrong.extend(gained(&before, &after));
    let mut report = Report::new("soak", format!("whole suite, {} s", whole.as_secs()));
    report.points(kills.values().sum());
    report.acknowledged(ledger.acknowledged().len());
    report.judged(&format!("seed {seed}, killed {kills:?}"), verdict);
    report.finish();
}

fn number_in(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text}: no number")))
}

fn seed_of_this_moment() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_secs()
}

/// Kills somebody again and again; how often each program was killed.
fn kill_for(time: Duration, suite: &Suite, ledger: &Ledger, random: &mut Random) -> BTreeMap<String, usize> {
    let mut kills = BTreeMap::new();
    let start = Instant::now();
    while start.elapsed() < time {
        let pause = SHORTEST_PAUSE + random.below(LONGEST_PAUSE - SHORTEST_PAUSE);
        std::thread::sleep(Duration::from_millis(u64::try_from(pause).expect("a short time")));
        // First a program, then one of its processes: those that are there for a moment only have their turn as well.
        let mut candidates: BTreeMap<String, Vec<i32>> = BTreeMap::new();
        for (pid, name) in suite.victims() {
            candidates.entry(name).or_default().push(pid);
        }
        let names: Vec<&String> = candidates.keys().collect();
        let Some(name) = (!names.is_empty()).then(|| *random.one_of(&names)) else { continue };
        let pid = *random.one_of(&candidates[name]);
        if unix::process::kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok() {
            ledger.hit_all();
            *kills.entry(name.clone()).or_default() += 1;
        }
    }
    kills
}

/// Looks at the memory of those who live long.
fn watch_for(time: Duration, suite: &Suite) -> Memory {
    let mut memory = Memory::default();
    let start = Instant::now();
    while start.elapsed() < time {
        memory.look(&suite.processes(), start.elapsed() > time / 2);
        std::thread::sleep(Duration::from_millis(100));
    }
    memory
}
