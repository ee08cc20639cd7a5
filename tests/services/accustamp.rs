//! `accustamp` with the program that reads its lines: one service, which is stopped, killed and started again.

use harness::{Call, Running, program, scratch, wait_until};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;
use unix::descriptor;
use unix::poll::{Interest, wait_one};
use unix::process::{Pid, kill};
use unix::signal::Signal;

/// The log files in the order of their age.
fn logs(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("the log directory");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

/// What was logged, without the stamps, which each line has to have.
fn logged(directory: &Path) -> String {
    let text: String =
        logs(directory).iter().map(|path| fs::read_to_string(path).expect("a log file")).collect();
    text.split_inclusive('\n')
        .map(|line| {
            let (stamp, rest) = line.split_once(' ').unwrap_or_else(|| panic!("no stamp: {line}"));
            assert!(stamp.len() == 17 && stamp.as_bytes()[10] == b'.', "{line}");
            rest
        })
        .collect()
}

fn all_on_disk(directory: &Path) -> bool {
    logs(directory)
        .iter()
        .all(|path| fs::metadata(path).expect("a log file").permissions().mode() & 0o777 == 0o444)
}

/// `accustamp -- WORDS`, with our programs first in PATH and standard error in a file.
fn command(words: &[&str], directory: &Path) -> Command {
    let path = format!("{}:/usr/bin:/bin", harness::programs().display());
    let mut command = Command::new(program("accustamp"));
    command
        .arg("--")
        .args(words)
        .current_dir(directory)
        .env("PATH", path)
        .stderr(File::create(directory.join("err")).expect("a file for standard error"));
    command
}

/// A directory with an empty `log` in it.
fn place() -> tempfile::TempDir {
    let place = scratch();
    fs::create_dir(place.path().join("log")).expect("a log directory");
    place
}

fn errors(place: &tempfile::TempDir) -> String {
    fs::read_to_string(place.path().join("err")).expect("standard error")
}

/// The one child of a process.
fn child_of(parent: i32) -> Pid {
    let text = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).expect("its children");
    Pid::from_raw(text.trim().parse().expect("one child"))
}

fn write(stamper: &mut Running, bytes: &[u8]) {
    stamper.child().stdin.as_mut().expect("a pipe").write_all(bytes).expect("an accustamp that reads");
}

/// Writes line by line, as a service does: a line is in the pipe as a whole or not at all.
fn feed(lines: String, mut pipe: File) -> JoinHandle<io::Result<()>> {
    std::thread::spawn(move || {
        lines.split_inclusive('\n').try_for_each(|line| pipe.write_all(line.as_bytes()))
    })
}

fn wait_for_end(stamper: &mut Running) -> i32 {
    wait_until("accustamp ended", || !stamper.is_alive());
    stamper.wait()
}

#[test]
fn each_instance_stopped_under_load_leaves_every_line_to_the_log_or_to_the_next_one() {
    const COUNT: usize = 300_000;
    const INSTANCES: usize = 6;
    let place = place();
    let log = place.path().join("log");
    let (reader, writer) = descriptor::pipe().expect("a pipe");
    let expected: String = (0..COUNT).map(|number| format!("line {number} of many\n")).collect();
    let feeder = feed(expected.clone(), File::from(writer));
    for instance in 1..INSTANCES {
        let input = reader.try_clone().expect("the pipe once more");
        let mut stamper = Running::start(
            command(&["cyclog", "-s", "1000000", "-n", "100", "log"], place.path()).stdin(input),
        );
        wait_until("something new is logged", || {
            logs(&log).len() >= instance
                && logs(&log).last().is_some_and(|path| path.metadata().is_ok_and(|file| file.len() > 0))
        });
        stamper.signal(Signal::SIGTERM);
        assert_eq!((wait_for_end(&mut stamper), errors(&place)), (0, String::new()));
        assert!(all_on_disk(&log));
        let so_far = logged(&log);
        assert!(expected.starts_with(&so_far), "after {} bytes", so_far.len());
    }
    assert!(!feeder.is_finished(), "nothing was left for the last accustamp");
    let mut last =
        Running::start(command(&["cyclog", "-s", "1000000", "-n", "100", "log"], place.path()).stdin(reader));
    feeder.join().expect("the feeder").expect("room in the pipe");
    assert_eq!((wait_for_end(&mut last), errors(&place)), (0, String::new()));
    assert!(all_on_disk(&log));
    assert!(logged(&log) == expected, "lines are lost, doubled or out of order");
}

#[test]
fn term_completes_the_line_and_leaves_the_next_one() {
    let place = place();
    let log = place.path().join("log");
    let (reader, writer) = descriptor::pipe().expect("a pipe");
    let mut writer = File::from(writer);
    let input = reader.try_clone().expect("the pipe once more");
    let mut first = Running::start(command(&["cyclog", "log"], place.path()).stdin(input));
    writer.write_all(b"one\ntw").expect("room in the pipe");
    wait_until("what was written is in the file", || logged(&log) == "one\ntw");
    // accustamp sees both together when it goes on: the rest of the line, and that it has to end.
    first.signal(Signal::SIGSTOP);
    writer.write_all(b"o\nthree\n").expect("room in the pipe");
    first.signal(Signal::SIGTERM);
    first.signal(Signal::SIGCONT);
    assert_eq!(wait_for_end(&mut first), 0);
    assert_eq!(logged(&log), "one\ntwo\n");

    drop(writer);
    let mut second = Running::start(command(&["cyclog", "log"], place.path()).stdin(reader));
    assert_eq!(wait_for_end(&mut second), 0);
    assert_eq!(logged(&log), "one\ntwo\nthree\n");
}

#[test]
fn an_alarm_ends_the_file_of_the_program() {
    let place = place();
    let log = place.path().join("log");
    let mut stamper = Running::start(command(&["cyclog", "log"], place.path()).stdin(Stdio::piped()));
    for (number, text) in ["one\n", "two\n"].into_iter().enumerate() {
        write(&mut stamper, text.as_bytes());
        wait_until("the line is logged", || logged(&log).ends_with(text));
        stamper.signal(Signal::SIGALRM);
        wait_until("its file is on disk", || logs(&log).len() == number + 1 && all_on_disk(&log));
    }
    // An empty log has no file to end.
    stamper.signal(Signal::SIGALRM);
    write(&mut stamper, b"three\n");
    drop(stamper.child().stdin.take());
    assert_eq!((wait_for_end(&mut stamper), errors(&place)), (0, String::new()));
    assert_eq!((logged(&log).as_str(), logs(&log).len()), ("one\ntwo\nthree\n", 3));
}

#[test]
fn term_while_the_program_does_not_read_waits_until_it_has_everything() {
    let place = place();
    let log = place.path().join("log");
    let (reader, writer) = descriptor::pipe().expect("a pipe");
    let input = reader.try_clone().expect("the pipe once more");
    let mut first = Running::start(command(&["cyclog", "-s1000000", "log"], place.path()).stdin(input));
    let mut writer = File::from(writer);
    writer.write_all(b"first\n").expect("room in the pipe");
    wait_until("the first line is logged", || logged(&log) == "first\n");
    let logger = child_of(first.pid());
    kill(logger, Signal::SIGSTOP).expect("a logger to stop");
    // More than the pipes and accustamp's memory hold.
    let expected: String = (0..30_000).map(|number| format!("line {number} of many\n")).collect();
    let feeder = feed(expected.clone(), writer);
    wait_until("the pipe to the program is full", || {
        let path = format!("/proc/{logger}/fd/0");
        let pipe = fs::OpenOptions::new().write(true).open(path).expect("the pipe to the program");
        !wait_one(pipe.as_fd(), Interest::Write, Some(Duration::ZERO)).expect("its state")
    });
    first.signal(Signal::SIGTERM);
    assert!(first.is_alive());
    kill(logger, Signal::SIGCONT).expect("a logger to continue");
    assert_eq!(wait_for_end(&mut first), 0);
    let mut second = Running::start(command(&["cyclog", "-s1000000", "log"], place.path()).stdin(reader));
    feeder.join().expect("the feeder").expect("room in the pipe");
    assert_eq!(wait_for_end(&mut second), 0);
    assert!(logged(&log) == format!("first\n{expected}"), "lines are lost, doubled or out of order");
}

#[test]
fn the_end_of_the_input_is_that_of_the_program_whose_exit_status_counts() {
    let place = place();
    for (script, code) in [("cat >out", 0), ("cat >out; exit 3", 3), ("cat >out; kill -9 $$", 111)] {
        let mut call = Call::ours("accustamp").args(["--", "sh", "-c", script]).input("a\n\nlast");
        call.command().current_dir(place.path());
        let outcome = call.run();
        let errors = if code == 111 { "accustamp: fatal: sh crashed\n" } else { "" };
        assert_eq!((outcome.code, outcome.err_text().as_str()), (code, errors));
        let text = fs::read_to_string(place.path().join("out")).expect("the output");
        let lines: Vec<&str> = text.split('\n').filter_map(|line| line.get(18..)).collect();
        assert_eq!(lines, ["a", "", "last"]);
    }
}

#[test]
fn the_end_of_the_program_is_noticed_without_further_input() {
    let place = place();
    let mut stamper = Running::start(command(&["cyclog", "log"], place.path()).stdin(Stdio::piped()));
    write(&mut stamper, b"one\n");
    wait_until("the line is logged", || logged(&place.path().join("log")) == "one\n");
    kill(child_of(stamper.pid()), Signal::SIGKILL).expect("a logger to kill");
    assert_eq!(wait_for_end(&mut stamper), 111);
    assert_eq!(errors(&place), "accustamp: fatal: cyclog stopped reading\n");
}

#[test]
fn a_program_that_ends_early_or_closes_its_input_ends_accustamp() {
    for script in ["exit 0", "exec <&-; echo closed >closed; exec sleep 1000"] {
        let place = place();
        let mut stamper = Running::start(command(&["sh", "-c", script], place.path()).stdin(Stdio::piped()));
        if script.starts_with("exec") {
            wait_until("the input is closed", || place.path().join("closed").exists());
            let program = child_of(stamper.pid());
            write(&mut stamper, b"line\n");
            assert_eq!(wait_for_end(&mut stamper), 111);
            kill(program, Signal::SIGKILL).expect("a program to kill");
        }
        assert_eq!(wait_for_end(&mut stamper), 111);
        assert_eq!(errors(&place), "accustamp: fatal: sh stopped reading\n");
    }
}

#[test]
fn after_accustamp_is_killed_the_log_is_completed() {
    let place = place();
    let log = place.path().join("log");
    let mut stamper = Running::start(command(&["cyclog", "log"], place.path()).stdin(Stdio::piped()));
    write(&mut stamper, b"one\ntwo\n");
    wait_until("the lines are logged", || logged(&log) == "one\ntwo\n");
    assert!(!all_on_disk(&log));
    stamper.signal(Signal::SIGKILL);
    assert_eq!(wait_for_end(&mut stamper), 1009);
    wait_until("the file is on disk", || all_on_disk(&log));
    assert_eq!(logged(&log), "one\ntwo\n");
}

#[test]
fn a_program_that_cannot_be_run_costs_no_line() {
    let place = place();
    let (reader, writer) = descriptor::pipe().expect("a pipe");
    File::from(writer).write_all(b"line\n").expect("room in the pipe");
    let cases = [("./missing", "file does not exist"), ("./log", "access denied")];
    for (name, why) in cases {
        let input = reader.try_clone().expect("the pipe once more");
        let mut stamper = Running::start(command(&[name], place.path()).stdin(input));
        assert_eq!(wait_for_end(&mut stamper), 111);
        assert_eq!(errors(&place), format!("accustamp: fatal: unable to run {name}: {why}\n"));
    }
    let mut stamper = Running::start(command(&["cyclog", "log"], place.path()).stdin(reader));
    assert_eq!(wait_for_end(&mut stamper), 0);
    assert_eq!(logged(&place.path().join("log")), "line\n");
}

#[test]
fn the_program_has_the_standard_descriptors_and_signals_alone() {
    const ORDINARY_SIGNALS: u64 = 0x7fff_ffff;
    let script = "ls -l /proc/self/fd | grep -c ' [3-9] -> '; grep -E '^Sig(Blk|Ign)' /proc/self/status; cat >/dev/null";
    let outcome = Call::ours("accustamp").args(["--", "sh", "-c", script]).run();
    let text = outcome.out_text();
    let mut lines = text.lines();
    // The directory that ls reads.
    assert_eq!(lines.next(), Some("1"));
    for line in lines {
        let (_, mask) = line.split_once('\t').expect("a mask of signals");
        let mask = u64::from_str_radix(mask, 16).expect("a hexadecimal mask");
        assert_eq!(mask & ORDINARY_SIGNALS, 0, "{line}");
    }
    assert_eq!(outcome.code, 0);
}
