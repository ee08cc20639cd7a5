//! An installation in memory for one sweep: orders for `faulty`, the recovery, and what was delivered.
//!
//! Nothing here fails with the power, so nothing has to be on a disk.

use super::points::Point;
use crate::ledger::{Ledger, Number};
use crate::report::Report;
use harness::fault::{Order, Seen};
use harness::{HOST, Instance, Running, STRAY_HOURS, copy_to_run, set_age};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use unix::process::Pid;
use unix::signal::Signal;

/// How long nothing may happen. Not a claim about speed: a program may itself wait for half a minute.
const PATIENCE: Duration = Duration::from_secs(60);

/// Experiments at the same time: each waits most of its time.
const AT_ONCE: usize = 4;

/// The installation.
pub struct Site {
    pub instance: Instance,
    /// The maildir of `joe`.
    joe: PathBuf,
    /// The maildir of `sender`, who is told of what was not delivered.
    sender: PathBuf,
}

/// `NAME@HOST`.
pub fn at_host(name: &str) -> String {
    format!("{name}@{HOST}")
}

/// Waits until the condition holds; whether it came to hold before the patience ended.
pub fn comes_true(condition: impl FnMut() -> bool) -> bool {
    harness::settles_within(PATIENCE, Duration::from_millis(2), condition)
}

/// Whether this machine can do the experiments; if not, says so aloud.
pub fn is_possible() -> bool {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        harness::skipped("system calls are made to fail on x86_64 only");
        return false;
    }
    let directory = harness::scratch_in_memory();
    let (order, seen) = (directory.path().join("order"), directory.path().join("order.seen"));
    fs::write(&order, Order::List.to_string()).expect("an order");
    let status = Command::new(env!("CARGO_BIN_EXE_faulty")).arg(&order).arg("/bin/true").status();
    let is_possible = status.is_ok_and(|status| status.success()) && seen.exists();
    if !is_possible {
        harness::skipped("no process may trace another here: ptrace(2) is not permitted");
    }
    is_possible
}

impl Site {
    /// A new one, in which nothing runs.
    pub fn new() -> Site {
        let instance = Instance::in_memory();
        copy_to_run(Path::new(env!("CARGO_BIN_EXE_faulty")), &instance.path("bin/faulty"));
        let made = instance.command(Path::new("/bin/mkdir")).arg(instance.path("faults")).status();
        assert!(made.is_ok_and(|status| status.success()), "a directory for orders");
        let (joe, sender) = (instance.mailbox("joe"), instance.mailbox("sender"));
        Site { instance, joe, sender }
    }

    /// Puts `faulty` in the place of a program.
    pub fn make_faulty(&self, program: &str) {
        let bin = self.instance.path("bin");
        fs::rename(bin.join(program), bin.join(format!("{program}.real"))).expect("the real program");
        fs::hard_link(bin.join("faulty"), bin.join(program)).expect("another name for faulty");
    }

    /// The file of an order for a program, or for its call with a word: `NAME` or `NAME:WORD`.
    pub fn order_file(&self, key: &str) -> PathBuf {
        self.instance.path("faults").join(key)
    }

    /// Gives an order.
    pub fn order(&self, key: &str, order: Order) {
        fs::write(self.order_file(key), order.to_string()).expect("an order");
    }

    /// What came to pass of an order, if it did.
    pub fn seen(&self, key: &str) -> Option<String> {
        fs::read_to_string(self.order_file(&format!("{key}.seen"))).ok()
    }

    /// The calls that were listed.
    pub fn listed(&self, key: &str) -> Vec<Seen> {
        let text = self.seen(key).unwrap_or_default();
        text.lines().map(|line| line.parse().expect("a call")).collect()
    }

    /// Withdraws all orders.
    pub fn forget_orders(&self) {
        for entry in fs::read_dir(self.instance.path("faults")).expect("a directory of orders").flatten() {
            let _ = fs::remove_file(entry.path());
        }
    }

    /// Starts the queue manager anew, with nothing wrong, and waits until it has emptied the queue. `after` says what was wrong.
    pub fn recover(&mut self, after: &str) {
        self.forget_orders();
        self.instance.clear_log();
        // A host that did not answer is left alone for an hour otherwise.
        self.instance.call("qmail-tcpok").run();
        if let Err(what) = self.instance.deliver_everything() {
            panic!("after {after}: {what}");
        }
    }

    /// Waits until a program that was told to end has ended, with all that runs here; who does not is killed.
    ///
    /// # Errors
    /// Who that is.
    pub fn end_of(&self, running: &mut Running) -> Result<(), String> {
        if comes_true(|| !running.is_alive() && self.instance.processes().is_empty()) {
            return Ok(());
        }
        let left = self.instance.processes();
        for (pid, _) in &left {
            let _ = unix::process::kill(Pid::from_raw(*pid), Signal::SIGKILL);
        }
        Err(format!("{left:?} do not end"))
    }

    /// Ends the queue manager when its deliveries have ended.
    pub fn stop(&mut self) {
        self.instance.signal(Signal::SIGTERM);
        let is_over = comes_true(|| self.instance.processes().is_empty());
        assert!(is_over, "still there: {:?}\n{}", self.instance.processes(), self.instance.log());
        self.instance.stop();
    }

    /// All that nobody was told of goes away once it is old enough.
    pub fn collect_strays(&mut self) {
        for name in self.instance.queue() {
            assert!(["mess/", "intd/", "pid/"].iter().any(|kind| name.starts_with(kind)), "{name}");
            // What qmail-clean took with another file is gone already.
            let _ = set_age(&self.instance.path("queue").join(name), STRAY_HOURS);
        }
        self.instance.start();
        let is_empty = comes_true(|| self.instance.queue().is_empty());
        assert!(is_empty, "{:?}\n{}", self.instance.queue(), self.instance.log());
        self.stop();
    }

    /// Takes what was delivered to joe.
    pub fn take_delivered(&self) -> Vec<String> {
        take(&self.joe)
    }

    /// Takes what the sender was told.
    pub fn take_bounces(&self) -> Vec<String> {
        take(&self.sender)
    }

    /// What goes wrong for a moment is nothing to tell the sender.
    pub fn expect_no_bounce(&self, report: &mut Report) {
        for bounce in self.take_bounces() {
            report.wrong("a batch", &format!("a bounce: {bounce}"));
        }
    }
}

/// The children of a program: of `faulty`, the program that it runs.
pub fn children_of(running: &Running) -> Vec<i32> {
    let path = format!("/proc/{0}/task/{0}/children", running.pid());
    let children = fs::read_to_string(path).unwrap_or_default();
    children.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// Tries points in equal shares at the same time, and takes in what each share has seen.
pub fn in_shares(points: &[Point], report: &mut Report, try_all: impl Fn(&[Point]) -> Report + Sync) {
    let share = points.len().div_ceil(AT_ONCE).max(1);
    std::thread::scope(|scope| {
        let shares: Vec<_> = points.chunks(share).map(|share| scope.spawn(|| try_all(share))).collect();
        for share in shares {
            report.join(share.join().expect("an experiment"));
        }
    });
}

/// Holds each message of a batch against the invariant. `points` says what went wrong with each, by its number.
pub fn judge_each(
    report: &mut Report,
    ledger: &Ledger,
    points: &[String],
    mailbox: &str,
    texts: Vec<String>,
) {
    let mut by_number: Vec<Vec<String>> = vec![Vec::new(); points.len()];
    let mut strange = Vec::new();
    for text in texts {
        let place = Number::of(&text).ok().and_then(|number| by_number.get_mut(number.0));
        place.unwrap_or(&mut strange).push(text);
    }
    for (number, (point, texts)) in points.iter().zip(&by_number).enumerate() {
        report.judged(point, ledger.judge(mailbox, texts, |other| other == Number(number)));
    }
    let batch = format!("one of {} to {}", points[0], points[points.len() - 1]);
    report.judged(&batch, ledger.judge(mailbox, &strange, |_| false));
}

fn take(maildir: &Path) -> Vec<String> {
    let entries = fs::read_dir(maildir.join("new")).expect("a maildir").flatten();
    let taken = entries.map(|entry| {
        let text = fs::read(entry.path()).expect("a message");
        fs::remove_file(entry.path()).expect("a message that goes");
        String::from_utf8_lossy(&text).into_owned()
    });
    taken.collect()
}
