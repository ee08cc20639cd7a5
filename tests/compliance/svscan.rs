//! `svscan` beside daemontools 0.76, with either suite's supervise below it.

use harness::{
    Call, Running, Suite, assert, assert_eq, assert_ne, counting, installed, program, programs, scratch,
    skipped, wait_until,
};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const PATIENT: &str = "exec sleep 1000";

/// Runs a scenario with svscan and supervise of each suite, at the same time: svscan is given to pauses of five
/// seconds. The second path is the directory of supervise.
fn each_combination(test: impl Fn(&Path, &Path) + Sync) {
    let mut pairs = vec![(Some(Suite::Ours), program("svscan"), programs())];
    if let Some(reference) = installed("svscan") {
        let place = reference.parent().expect("a directory").to_path_buf();
        pairs.push((Some(Suite::Reference), reference.clone(), place.clone()));
        pairs.push((None, reference, programs()));
        pairs.push((None, program("svscan"), place));
    } else {
        skipped("daemontools is not installed");
    }
    std::thread::scope(|scope| {
        for (suite, svscan, place) in &pairs {
            scope.spawn(|| match suite {
                Some(suite) => counting("svscan", *suite, || test(svscan, place)),
                None => test(svscan, place),
            });
        }
    });
}

/// A svscan of the directory `scan`. Whatever it started ends with the test.
struct Scanned {
    scratch: TempDir,
    svscan: Running,
}

impl Scanned {
    fn start(scratch: TempDir, svscan: &Path, place: &Path) -> Scanned {
        let errors = fs::File::create(scratch.path().join("errors")).expect("a file for errors");
        let mut command = Command::new(svscan);
        command.arg("scan").current_dir(scratch.path()).stderr(errors);
        command.env("PATH", format!("{}:/usr/bin:/bin", place.display()));
        Scanned { svscan: Running::start(&mut command), scratch }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn svc(&self, letters: &str, name: &str) {
        let outcome = Call::ours("svc").args([letters, name]).within(self.scratch.path()).run();
        assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    }

    fn is_supervised(&self, name: &str) -> bool {
        Call::ours("svok").arg(name).within(self.scratch.path()).run().code == 0
    }

    fn wait_for_supervise(&self, name: &str) {
        wait_until(&format!("a supervise of {name}"), || self.is_supervised(name));
    }

    /// The process of a service, once it runs.
    fn wait_for_pid(&self, name: &str) -> u32 {
        let mut pid = 0;
        wait_until(&format!("{name} to run"), || {
            let status = fs::read(self.path(name).join("supervise/status")).unwrap_or_default();
            let bytes = status.get(12..16).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
            pid = u32::from_le_bytes(bytes);
            pid != 0
        });
        pid
    }
}

impl Drop for Scanned {
    fn drop(&mut self) {
        let _ = self.svscan.child().kill();
        let _ = self.svscan.wait();
        let directories = [self.path("scan"), self.path("real")];
        let services = directories.iter().filter_map(|path| fs::read_dir(path).ok()).flatten().flatten();
        for service in services.map(|entry| entry.path()) {
            for directory in [service.clone(), service.join("log")] {
                let alive = || Call::ours("svok").arg(&directory).run().code == 0;
                while alive() {
                    let _ = Call::ours("svc").arg("-dkx").arg(&directory).run();
                    std::thread::sleep(std::time::Duration::from_millis(20));
                }
            }
        }
    }
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

#[test]
fn each_directory_gets_a_supervise_and_its_log_another() {
    each_combination(|svscan, place| {
        let scratch = scan_directory();
        let scan = scratch.path().join("scan");
        add_service(&scan.join("plain"), PATIENT);
        add_service(&scan.join("logged"), "echo one; echo two; exec sleep 1000");
        add_service(&scan.join("logged/log"), "exec cat >../../../out");
        add_service(&scan.join(".hidden"), PATIENT);
        fs::write(scan.join("file"), "").expect("a file");
        let scanned = Scanned::start(scratch, svscan, place);
        for name in ["scan/plain", "scan/logged", "scan/logged/log"] {
            scanned.wait_for_supervise(name);
            scanned.wait_for_pid(name);
        }
        wait_until("the log", || scanned.read("out") == "one\ntwo\n");
        assert!(!scanned.is_supervised("scan/.hidden"));
        assert_eq!(scanned.read("errors"), "");
    });
}

/// Makes a directory read-only for everybody, root too, until dropped.
struct ReadOnly(PathBuf);

impl ReadOnly {
    fn mount(at: &Path) -> Option<ReadOnly> {
        let mount = |options: &[&str]| {
            let outcome = Call::path(&installed("mount")?).args(options).arg(at).run();
            (outcome.code == 0).then_some(())
        };
        mount(&["--bind", at.to_str()?])?;
        let bound = ReadOnly(at.to_path_buf());
        mount(&["-o", "remount,bind,ro"])?;
        Some(bound)
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        if let Some(umount) = installed("umount") {
            let _ = Call::path(&umount).arg("-l").arg(&self.0).run();
        }
    }
}

#[test]
fn services_on_a_disk_that_cannot_be_written_keep_their_state_behind_links() {
    each_combination(|svscan, place| {
        let scratch = scan_directory();
        let scan = scratch.path().join("scan");
        add_service(&scan.join("s"), "echo one; exec sleep 1000");
        add_service(&scan.join("s/log"), "exec cat >>../../../out");
        let state = scratch.path().join("state");
        fs::create_dir(&state).expect("a directory for the state");
        // Neither is there yet, as after a start of the system with an empty /run.
        symlink(state.join("s"), scan.join("s/supervise")).expect("a link");
        symlink("../../../state/s-log", scan.join("s/log/supervise")).expect("a link");
        let Some(read_only) = ReadOnly::mount(&scan) else {
            return skipped("mounting read-only needs root");
        };
        let scanned = Scanned::start(scratch, svscan, place);
        let first = scanned.wait_for_pid("scan/s");
        scanned.wait_for_pid("scan/s/log");
        wait_until("the log", || scanned.read("out") == "one\n");
        for suite in [installed("svstat"), Some(program("svstat"))].into_iter().flatten() {
            let line = Call::path(&suite).arg("scan/s").within(scanned.scratch.path()).run().out_text();
            assert!(line.starts_with(&format!("scan/s: up (pid {first}) ")), "{line}");
        }
        for suite in [installed("svok"), Some(program("svok"))].into_iter().flatten() {
            for name in ["scan/s", "scan/s/log"] {
                let outcome = Call::path(&suite).arg(name).within(scanned.scratch.path()).run();
                assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
            }
        }
        let svwait = |letter: &str| {
            let arguments = [letter, "-t", "30", "scan/s"];
            Call::ours("svwait").args(arguments).within(scanned.scratch.path()).run().code
        };
        assert_eq!(svwait("-u"), 0);
        scanned.svc("-d", "scan/s");
        assert_eq!(svwait("-d"), 0);
        scanned.svc("-u", "scan/s");
        assert_eq!(svwait("-u"), 0);
        assert_ne!(scanned.wait_for_pid("scan/s"), first);
        assert_eq!(scanned.read("errors"), "");
        drop(scanned);
        drop(read_only);
    });
}

#[test]
fn what_is_written_while_the_log_is_down_is_kept() {
    each_combination(|svscan, place| {
        let scratch = scan_directory();
        let scan = scratch.path().join("scan");
        add_service(&scan.join("s"), "echo $$; touch said; exec sleep 1000");
        add_service(&scan.join("s/log"), "exec cat >>../../../out");
        fs::write(scan.join("s/log/down"), "").expect("a file");
        let scanned = Scanned::start(scratch, svscan, place);
        let first = scanned.wait_for_pid("scan/s");
        wait_until("the first line", || scanned.path("scan/s/said").exists());
        fs::remove_file(scanned.path("scan/s/said")).expect("the mark of the program");
        scanned.svc("-t", "scan/s");
        wait_until("the second line", || scanned.path("scan/s/said").exists());
        let second = scanned.wait_for_pid("scan/s");
        assert_ne!(first, second);
        assert_eq!(scanned.read("out"), "");
        scanned.svc("-u", "scan/s/log");
        wait_until("both lines", || scanned.read("out") == format!("{first}\n{second}\n"));
    });
}

#[test]
fn a_supervise_that_ends_is_started_again() {
    each_combination(|svscan, place| {
        let scratch = scan_directory();
        add_service(&scratch.path().join("scan/s"), PATIENT);
        let scanned = Scanned::start(scratch, svscan, place);
        let first = scanned.wait_for_pid("scan/s");
        scanned.svc("-dx", "scan/s");
        wait_until("another process", || {
            scanned.is_supervised("scan/s") && scanned.wait_for_pid("scan/s") != first
        });
    });
}

#[test]
fn a_new_directory_is_found_and_one_that_is_gone_is_left_alone() {
    each_combination(|svscan, place| {
        let scratch = scan_directory();
        let real = scratch.path().join("real/s");
        add_service(&real, PATIENT);
        let scanned = Scanned::start(scratch, svscan, place);
        symlink(&real, scanned.path("scan/link")).expect("a link");
        scanned.wait_for_supervise("real/s");
        let pid = scanned.wait_for_pid("real/s");
        // Another name for the same directory, in place of the first.
        fs::rename(scanned.path("scan/link"), scanned.path("scan/renamed")).expect("another name");
        add_service(&scanned.path("scan/mark"), PATIENT);
        scanned.wait_for_supervise("scan/mark");
        assert_eq!(scanned.wait_for_pid("real/s"), pid);

        fs::remove_file(scanned.path("scan/renamed")).expect("the link");
        add_service(&scanned.path("scan/later"), PATIENT);
        scanned.wait_for_supervise("scan/later");
        assert_eq!(scanned.wait_for_pid("real/s"), pid);
        scanned.svc("-dx", "real/s");
        wait_until("supervise to end", || !scanned.is_supervised("real/s"));
        add_service(&scanned.path("scan/last"), PATIENT);
        scanned.wait_for_supervise("scan/last");
        assert!(!scanned.is_supervised("real/s"));
        assert_eq!(scanned.read("errors"), "");
    });
}

#[test]
fn two_names_of_one_directory_are_one_service() {
    each_combination(|svscan, place| {
        let scratch = scan_directory();
        add_service(&scratch.path().join("scan/s"), "echo started >>starts; exec sleep 1000");
        symlink("s", scratch.path().join("scan/also")).expect("a link");
        let scanned = Scanned::start(scratch, svscan, place);
        scanned.wait_for_pid("scan/s");
        add_service(&scanned.path("scan/later"), PATIENT);
        scanned.wait_for_supervise("scan/later");
        assert_eq!(scanned.read("scan/s/starts"), "started\n");
        // A second supervise would complain that it cannot have the lock.
        assert_eq!(scanned.read("errors"), "");
    });
}

#[test]
fn trouble_with_one_name_is_warned_of_and_hinders_no_other() {
    each_combination(|svscan, place| {
        let scratch = scan_directory();
        let scan = scratch.path().join("scan");
        symlink("nowhere", scan.join("dangling")).expect("a link");
        add_service(&scan.join("s"), PATIENT);
        let scanned = Scanned::start(scratch, svscan, place);
        scanned.wait_for_supervise("scan/s");
        let line = "svscan: warning: unable to stat dangling: file does not exist";
        wait_until("the warning", || scanned.read("errors").lines().next() == Some(line));
    });
}

#[test]
fn without_a_supervise_it_warns_and_tries_again() {
    for svscan in [installed("svscan"), Some(program("svscan"))].into_iter().flatten() {
        let scratch = scan_directory();
        let scan = scratch.path().join("scan");
        add_service(&scan.join("s/log"), PATIENT);
        fs::create_dir(scratch.path().join("bin")).expect("a directory");
        let errors = fs::File::create(scratch.path().join("errors")).expect("a file for errors");
        let mut command = Command::new(&svscan);
        command
            .arg("scan")
            .current_dir(scratch.path())
            .stderr(errors)
            .env("PATH", scratch.path().join("bin"));
        let scanned = Scanned { svscan: Running::start(&mut command), scratch };
        let warnings = [
            "svscan: warning: unable to start supervise s: file does not exist",
            "svscan: warning: unable to start supervise s/log: file does not exist",
        ];
        let all_there = || {
            let errors = scanned.read("errors");
            warnings.iter().all(|warning| errors.lines().any(|line| line == *warning))
        };
        wait_until("two warnings", all_there);
        symlink(program("supervise"), scanned.path("bin/supervise")).expect("a supervise");
        scanned.wait_for_supervise("scan/s/log");
    }
}

#[test]
fn a_directory_that_cannot_be_entered_is_fatal() {
    each_combination(|svscan, _| {
        let outcome = Call::path(svscan).arg("/nowhere/services").run();
        assert_eq!(outcome.code, 111);
        let expected = "svscan: fatal: unable to chdir to /nowhere/services: file does not exist\n";
        assert_eq!(outcome.err_text(), expected);
    });
}
