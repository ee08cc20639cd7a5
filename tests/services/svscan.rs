//! `svscan` of ours alone: its end, many services, and `svscanboot`.

use harness::{Call, Running, program, programs, scratch, settles, source_tree, wait_until};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use unix::signal::Signal;

/// Enough to outgrow any table of fixed size that is small. `make soak` asks for more by `MANY_SERVICES`.
const MANY: usize = 500;
/// How long services are killed. `make soak` asks for more by a variable of this name.
const SOAK_SECONDS: usize = 10;

/// A svscan of the directory `scan`, which ends with the test and takes everything with it.
struct Scanned {
    scratch: TempDir,
    svscan: Running,
}

impl Scanned {
    fn start(scratch: TempDir) -> Scanned {
        let errors = fs::File::create(scratch.path().join("errors")).expect("a file for errors");
        let mut command = Command::new(program("svscan"));
        command.arg("scan").current_dir(scratch.path()).stderr(errors).env("PATH", path_variable());
        Scanned { svscan: Running::start(&mut command), scratch }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn pid(&self, name: &str) -> Option<i32> {
        let status = fs::read(self.path(name).join("supervise/status")).ok()?;
        let pid = i32::from_le_bytes(*status.get(12..16)?.first_chunk()?);
        (pid != 0).then_some(pid)
    }

    /// The process of a service, if it has become the program `sleep`.
    fn sleeping(&self, name: &str) -> Option<i32> {
        self.pid(name)
            .filter(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm == "sleep\n"))
    }

    /// How many processes `sleep` there are below the directory.
    fn sleepers(&self) -> usize {
        let scan = self.path("scan");
        let is_ours = |process: &Path| {
            fs::read_to_string(process.join("comm")).is_ok_and(|comm| comm == "sleep\n")
                && fs::read_link(process.join("cwd")).is_ok_and(|place| place.starts_with(&scan))
        };
        let processes = fs::read_dir("/proc").expect("the processes").flatten();
        processes.filter(|process| is_ours(&process.path())).count()
    }
}

impl Drop for Scanned {
    fn drop(&mut self) {
        if self.svscan.is_alive() {
            self.svscan.signal(Signal::SIGTERM);
            let ended = settles(|| !self.svscan.is_alive());
            assert!(ended || std::thread::panicking(), "svscan does not end");
        }
    }
}

fn path_variable() -> String {
    format!("{}:/usr/bin:/bin", programs().display())
}

fn scan_directory() -> TempDir {
    let scratch = scratch();
    fs::create_dir(scratch.path().join("scan")).expect("a directory");
    scratch
}

fn add_service(directory: &Path, script: &str) {
    fs::create_dir_all(directory).expect("a service directory");
    let run = directory.join("run");
    fs::write(&run, format!("#!/bin/sh\n{script}\n")).expect("a script");
    fs::set_permissions(&run, fs::Permissions::from_mode(0o755)).expect("an executable script");
}

fn is_supervised(path: &Path) -> bool {
    Call::ours("svok").arg(path).run().code == 0
}

fn kill(pid: i32, signal: Signal) {
    let _ = unix::process::kill(unix::process::Pid::from_raw(pid), signal);
}

#[test]
fn told_to_end_it_ends_services_and_then_their_logs_and_loses_no_line() {
    let scratch = scan_directory();
    let scan = scratch.path().join("scan");
    let script = "trap 'echo last words; exit' TERM; touch ready; while :; do sleep 0.1; done";
    add_service(&scan.join("s"), script);
    add_service(&scan.join("s/log"), "trap '' TERM; sleep 1; exec cat >>../../../out");
    add_service(&scan.join("plain"), "exec sleep 1000");
    add_service(&scan.join("down"), "exec sleep 1000");
    fs::write(scan.join("down/down"), "").expect("a file");
    let mut scanned = Scanned::start(scratch);
    wait_until("the services", || {
        scanned.path("scan/s/ready").exists()
            && scanned.pid("scan/plain").is_some()
            && is_supervised(&scanned.path("scan/down"))
    });
    scanned.svscan.signal(Signal::SIGTERM);
    assert_eq!(scanned.svscan.wait(), 0);
    assert_eq!(scanned.read("out"), "last words\n");
    for name in ["scan/s", "scan/s/log", "scan/plain", "scan/down"] {
        assert!(!is_supervised(&scanned.path(name)), "{name}");
        assert_eq!(scanned.pid(name), None);
    }
    assert_eq!(scanned.read("errors"), "");
}

#[test]
fn told_twice_it_does_not_wait_for_a_log_to_read_to_its_end() {
    let scratch = scan_directory();
    let scan = scratch.path().join("scan");
    add_service(&scan.join("s"), "exec sleep 1000");
    add_service(&scan.join("s/log"), "exec sleep 1000");
    let mut scanned = Scanned::start(scratch);
    wait_until("the services", || ["scan/s", "scan/s/log"].iter().all(|name| scanned.pid(name).is_some()));
    scanned.svscan.signal(Signal::SIGTERM);
    wait_until("the end of the service", || !is_supervised(&scanned.path("scan/s")));
    assert!(scanned.svscan.is_alive());
    assert!(scanned.pid("scan/s/log").is_some());
    scanned.svscan.signal(Signal::SIGTERM);
    assert_eq!(scanned.svscan.wait(), 0);
    assert_eq!(scanned.pid("scan/s/log"), None);
}

#[test]
fn an_empty_directory_is_watched_until_svscan_is_told_to_end() {
    let mut scanned = Scanned::start(scan_directory());
    add_service(&scanned.path("scan/-u"), "exec sleep 1000");
    wait_until("the first service", || scanned.pid("scan/-u").is_some());
    assert!(scanned.svscan.is_alive());
}

#[test]
fn a_supervise_that_was_killed_leaves_the_other_services_alone() {
    let scratch = scan_directory();
    add_service(&scratch.path().join("scan/one"), "exec sleep 1000");
    add_service(&scratch.path().join("scan/other"), "exec sleep 1000");
    let scanned = Scanned::start(scratch);
    wait_until("both", || ["scan/one", "scan/other"].iter().all(|name| scanned.pid(name).is_some()));
    let (one, other) = (scanned.pid("scan/one"), scanned.pid("scan/other"));
    let outcome = Call::ours("svc").arg("-dx").arg(scanned.path("scan/one")).run();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    wait_until("a new process", || scanned.pid("scan/one").is_some_and(|pid| Some(pid) != one));
    assert_eq!(scanned.pid("scan/other"), other);
}

/// Kills one service every ten milliseconds. Every service comes back, each time and no more often, and none runs
/// twice: a second process of one could not have its lock, and would complain.
#[test]
fn of_many_services_that_are_killed_every_one_comes_back_and_none_runs_twice() {
    let number_in = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let many = number_in("MANY_SERVICES").unwrap_or(MANY);
    let kills = number_in("SOAK_SECONDS").unwrap_or(SOAK_SECONDS) * 100;
    let scratch = scan_directory();
    let setlock = program("setlock");
    for number in 0..many {
        let script = format!("echo >>starts; exec {} -n held sleep 100000", setlock.display());
        add_service(&scratch.path().join(format!("scan/{number}")), &script);
    }
    let begin = Instant::now();
    let mut scanned = Scanned::start(scratch);
    let name = |number: usize| format!("scan/{number}");
    for number in 0..many {
        wait_until(&name(number), || scanned.sleeping(&name(number)).is_some());
    }
    println!("{many} services up after {:.1} s", begin.elapsed().as_secs_f64());

    let mut killed = vec![0; many];
    let mut last = vec![0; many];
    // Neighbours were started one after the other; take them from everywhere.
    let mut victims = (0..many).map(|step| step * 7919 % many).cycle();
    for _ in 0..kills {
        if let Some((number, pid)) = next_victim(&scanned, &mut victims, many) {
            kill(pid, Signal::SIGKILL);
            killed[number] += 1;
            last[number] = pid;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let end = Instant::now();
    for (number, last) in last.iter().enumerate() {
        let is_back = || scanned.sleeping(&name(number)).is_some_and(|pid| pid != *last);
        wait_until(&name(number), is_back);
    }
    let times: usize = killed.iter().sum();
    println!("{times} kills; all up again {:.1} s after the last", end.elapsed().as_secs_f64());

    // As many starts as there should be, one process for each service, and nobody was refused a lock.
    for (number, times) in killed.iter().enumerate() {
        let starts = scanned.read(&format!("{}/starts", name(number))).lines().count();
        assert_eq!(starts, times + 1, "{} of {}", name(number), scanned.read("errors"));
    }
    assert_eq!(scanned.sleepers(), many);
    assert_eq!(scanned.read("errors"), "");
    // That a second process is found is true of this one.
    let second = Call::path(&scanned.path("scan/0/run")).within(&scanned.path("scan/0")).run();
    let refusal = "setlock: fatal: unable to lock held: temporary failure\n";
    assert_eq!((second.code, second.err_text().as_str()), (111, refusal));

    scanned.svscan.signal(Signal::SIGTERM);
    assert_eq!(scanned.svscan.wait(), 0);
    assert_eq!(scanned.sleepers(), 0);
}

/// The next service whose program runs, and that; nothing if at this moment no program does.
fn next_victim(
    scanned: &Scanned,
    victims: &mut impl Iterator<Item = usize>,
    many: usize,
) -> Option<(usize, i32)> {
    victims.take(many).find_map(|number| Some((number, scanned.sleeping(&format!("scan/{number}"))?)))
}

#[test]
fn svscanboot_shows_complaints_in_the_command_line_of_readproctitle() {
    let scratch = scan_directory();
    let bin = scratch.path().join("bin");
    fs::create_dir(&bin).expect("a directory");
    for name in ["svscan", "supervise", "svc", "readproctitle"] {
        std::os::unix::fs::symlink(program(name), bin.join(name)).expect("a program");
    }
    fs::copy(source_tree().join("supervise/scripts/svscanboot"), bin.join("svscanboot")).expect("a script");
    add_service(&scratch.path().join("scan/s"), "echo complaint >&2; exec sleep 1000");
    let mut command = Command::new(bin.join("svscanboot"));
    let mut boot = Running::start(command.arg(scratch.path().join("scan")));
    let children = |pid: i32| -> Vec<i32> {
        let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
    };
    let line = |pid: i32| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    wait_until("the complaint", || {
        children(boot.pid()).iter().any(|child| line(*child).ends_with(b"...complaint\n\0"))
    });
    let svscan = children(boot.pid()).into_iter().find(|child| line(*child).starts_with(b"svscan\0"));
    kill(svscan.expect("svscan"), Signal::SIGTERM);
    assert_eq!(boot.wait(), 0);
    assert!(!is_supervised(&scratch.path().join("scan/s")));
}
