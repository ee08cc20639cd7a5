//! `multilog` with full disks, signals, processors that fail and files that nobody can put on disk.

use crate::disk::{FullDisk, Mount};
use harness::{Call, Running, program, scratch, skipped, wait_until};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use unix::signal::Signal;

fn start(script: &[&str], within: &Path, errors: &Path) -> Running {
    let errors = fs::File::create(errors).expect("a file for standard error");
    let mut command = Command::new(program("multilog"));
    Running::start(command.args(script).current_dir(within).stdin(Stdio::piped()).stderr(errors))
}

fn write(logger: &mut Running, bytes: &[u8]) {
    logger.child().stdin.as_mut().expect("a pipe").write_all(bytes).expect("a logger that reads");
}

fn end_input(logger: &mut Running) {
    drop(logger.child().stdin.take());
}

/// What is in the log, oldest first.
fn whole_log(directory: &Path) -> String {
    let entries =
        fs::read_dir(directory).expect("the directory").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = entries
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
            path.is_file() && (name.starts_with('@') || ["previous", "current"].contains(&name))
        })
        .collect();
    // @… sorts before current; previous would be older than current.
    files.sort_by_key(|path| (path.ends_with("current"), path.clone()));
    files.iter().map(|path| fs::read_to_string(path).expect("a log file")).collect()
}

fn lines(numbers: std::ops::RangeInclusive<usize>) -> String {
    numbers.map(|number| format!("line {number} of those that must not be lost\n")).collect()
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).expect("a file").permissions().mode() & 0o7777
}

/// Starts multilog on a full disk, logs 30 lines and waits until it says that it cannot write them.
fn told_of_the_full_disk(disk: &FullDisk, script: &[&str], consequence: &str) -> Running {
    let mut logger = start(script, disk.place(), &disk.error_file());
    wait_until("the log is open", || disk.logs().join("current").exists());
    disk.fill();
    write(&mut logger, lines(1..=30).as_bytes());
    let warning =
        format!("multilog: warning: unable to write to ./log/current, {consequence}: out of disk space\n");
    wait_until("multilog says that the disk is full", || disk.errors() == warning);
    logger
}

#[test]
fn r1_a_full_disk_delays_lines_and_loses_none() {
    let Some(disk) = FullDisk::new() else { return };
    let mut logger = told_of_the_full_disk(&disk, &["s4096", "./log"], "pausing");
    disk.make_space();
    wait_until("the lines are in the log", || whole_log(&disk.logs()) == lines(1..=30));
    write(&mut logger, lines(31..=300).as_bytes());
    end_input(&mut logger);
    assert_eq!(logger.wait(), 0);
    assert_eq!(whole_log(&disk.logs()), lines(1..=300));
}

#[test]
fn spilled_lines_wait_in_memory_and_the_service_does_not() {
    let Some(disk) = FullDisk::new() else { return };
    let mut logger = told_of_the_full_disk(&disk, &["Dspill=10000000", "./log"], "keeping lines in memory");
    // More than the pipe holds: these writes end because multilog reads.
    let count = 8000;
    write(&mut logger, lines(31..=count).as_bytes());
    disk.make_space();
    let mut log = String::new();
    wait_until("what the disk has space for is in the log", || {
        log = whole_log(&disk.logs());
        log.len() > 50_000
    });
    disk.make_larger();
    end_input(&mut logger);
    assert_eq!(logger.wait(), 0);
    assert!(whole_log(&disk.logs()).ends_with(&lines(count - 500..=count)));
}

#[test]
fn dropped_lines_leave_one_line_that_counts_them() {
    let Some(disk) = FullDisk::new() else { return };
    let mut logger = told_of_the_full_disk(&disk, &["Ddrop", "./log"], "dropping lines");
    write(&mut logger, lines(31..=3000).as_bytes());
    // The pipe is empty when an alarm has been handled after all that.
    write(&mut logger, b"half a li");
    disk.make_space();
    let mut log = String::new();
    wait_until("the log goes on", || {
        write(&mut logger, b"ne\nafterwards\n");
        log = whole_log(&disk.logs());
        log.contains("afterwards\n")
    });
    end_input(&mut logger);
    assert_eq!(logger.wait(), 0);
    let log = whole_log(&disk.logs());
    let (before, after) =
        log.split_once(" lines dropped: out of disk space\n").expect("the line with the count");
    let (kept, count) = before.rsplit_once('\n').unwrap_or(("", before));
    let count: usize = count.parse().expect("the count");
    assert!(lines(1..=30).starts_with(kept), "{kept}");
    assert!(count > 2900, "{count}");
    assert_eq!(log.matches("lines dropped").count(), 1, "{log}");
    assert!(after.lines().all(|line| line == "ne" || line == "afterwards"), "{after}");
}

#[test]
fn r5_term_ends_a_paused_multilog_which_says_what_is_lost() {
    let Some(disk) = FullDisk::new() else { return };
    let mut logger = told_of_the_full_disk(&disk, &["./log"], "pausing");
    logger.signal(Signal::SIGTERM);
    wait_until("multilog ended", || !logger.is_alive());
    assert_eq!(logger.wait(), 111);
    let lost = format!(
        "multilog: fatal: unable to write to ./log/current, {} bytes lost: out of disk space",
        lines(1..=30).len()
    );
    assert!(disk.errors().lines().any(|line| line == lost), "{}", disk.errors());
}

#[test]
fn r5_term_after_space_was_made_writes_what_was_read() {
    let Some(disk) = FullDisk::new() else { return };
    let mut logger = told_of_the_full_disk(&disk, &["./log"], "pausing");
    logger.signal(Signal::SIGSTOP);
    disk.make_space();
    logger.signal(Signal::SIGTERM);
    logger.signal(Signal::SIGCONT);
    wait_until("multilog ended", || !logger.is_alive());
    assert_eq!(logger.wait(), 0);
    assert_eq!(whole_log(&disk.logs()), lines(1..=30));
    assert_eq!(mode(&disk.logs().join("current")), 0o744);
}

#[test]
fn r1_a_disk_without_room_for_files_delays_lines_and_loses_none() {
    let Some(disk) = FullDisk::new() else { return };
    let mut logger = start(&["s4096", "n100", "./log"], disk.place(), &disk.error_file());
    wait_until("the log is open", || disk.logs().join("current").exists());
    disk.fill_with_files();
    write(&mut logger, lines(1..=300).as_bytes());
    wait_until("multilog says that it cannot make a file", || {
        disk.errors() == "multilog: warning: unable to create ./log/current, pausing: out of disk space\n"
    });
    disk.make_room();
    end_input(&mut logger);
    assert_eq!(logger.wait(), 0);
    assert_eq!(whole_log(&disk.logs()), lines(1..=300));
}

#[test]
fn r2_a_log_whose_last_fsync_failed_is_not_called_closed() {
    let works = Command::new("strace").args(["-o", "/dev/null", "true"]).status();
    if !works.is_ok_and(|status| status.success()) {
        return skipped("strace, which makes fsync fail, does not work here");
    }
    let scratch = scratch();
    // The first one is that of the directory when it is made.
    let outcome = Call::path(Path::new("strace"))
        .args(["-qq", "-o", "/dev/null", "-e", "trace=fsync", "-e", "inject=fsync:error=EIO:when=2+"])
        .arg(program("multilog"))
        .arg("./log")
        .within(scratch.path())
        .input(lines(1..=10))
        .run();
    let warning = "multilog: warning: unable to write ./log/current to disk, part of it may be lost: input/output error\n";
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, warning));
    assert_eq!(mode(&scratch.path().join("log/current")), 0o644);
    assert_eq!(whole_log(&scratch.path().join("log")), lines(1..=10));
}

#[test]
fn r5_term_during_retries_of_a_processor_ends_it_and_loses_nothing() {
    let scratch = scratch();
    let errors = scratch.path().join("err");
    let mut logger = start(&["s4096", "!exit 1", "./log"], scratch.path(), &errors);
    write(&mut logger, lines(1..=200).as_bytes());
    wait_until("the processor failed", || {
        fs::read_to_string(&errors).expect("errors").contains("processor failed in ./log, pausing\n")
    });
    logger.signal(Signal::SIGTERM);
    wait_until("multilog ended", || !logger.is_alive());
    assert_eq!(logger.wait(), 0);
    // The next start sets the file aside that was to be processed.
    let outcome = Call::ours("multilog").args(["n100", "./log"]).within(scratch.path()).run();
    assert_eq!((outcome.code, outcome.err_text()), (0, String::new()));
    assert_eq!(whole_log(&scratch.path().join("log")), lines(1..=200));
}

#[test]
fn term_ends_a_processor_that_does_not_end() {
    let scratch = scratch();
    let errors = scratch.path().join("err");
    let mut logger = start(&["s4096", "!>started; sleep 1000; :", "./log"], scratch.path(), &errors);
    write(&mut logger, lines(1..=200).as_bytes());
    wait_until("the processor runs", || scratch.path().join("log/started").exists());
    logger.signal(Signal::SIGTERM);
    wait_until("multilog ended", || !logger.is_alive());
    assert_eq!(logger.wait(), 0);
    assert_eq!(Call::ours("multilog").args(["n100", "./log"]).within(scratch.path()).run().code, 0);
    assert_eq!(whole_log(&scratch.path().join("log")), lines(1..=200));
}

#[test]
fn r5_what_cannot_be_removed_stays_and_the_log_goes_on() {
    let scratch = scratch();
    let log = scratch.path().join("log");
    fs::create_dir_all(log.join("@0000000000000000000000000")).expect("a stray directory");
    let oldest = log.join("@4000000000000000000000000.s");
    fs::write(&oldest, "").expect("an old log");
    let Some(_mount) = Mount::new(&["--bind", "/dev/null"], oldest) else { return };
    let input = lines(1..=600);
    let outcome =
        Call::ours("multilog").args(["s4096", "n3", "./log"]).within(scratch.path()).input(&input).run();
    let warning = "multilog: warning: unable to remove ./log/@4000000000000000000000000.s: device busy\n";
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, warning));
    assert!(input.ends_with(&whole_log(&log)));
}

#[test]
fn r2_a_file_whose_fsync_failed_is_not_called_finished() {
    let works = Command::new("strace").args(["-o", "/dev/null", "true"]).status();
    if !works.is_ok_and(|status| status.success()) {
        return skipped("strace, which makes fsync fail, does not work here");
    }
    let scratch = scratch();
    // The first two are those of the directory when it is made.
    let outcome = Call::path(Path::new("strace"))
        .args(["-qq", "-o", "/dev/null", "-e", "trace=fsync", "-e", "inject=fsync:error=EIO:when=2"])
        .arg(program("multilog"))
        .args(["s4096", "n100", "./log"])
        .within(scratch.path())
        .input(lines(1..=100))
        .run();
    let warning = "multilog: warning: unable to write ./log/current to disk, part of it may be lost: input/output error\n";
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, warning));
    let log = scratch.path().join("log");
    let names = fs::read_dir(&log).expect("the log").map(|entry| entry.expect("an entry").file_name());
    let unfinished: Vec<_> =
        names.filter(|name| name.to_str().is_some_and(|name| name.ends_with(".u"))).collect();
    assert_eq!(unfinished.len(), 1);
    assert_eq!(mode(&log.join(&unfinished[0])), 0o644);
    assert_eq!(whole_log(&log), lines(1..=100));
}

#[test]
fn of_200_megabytes_the_newest_lines_stay_in_few_files_of_bounded_size() {
    let scratch = scratch();
    let filler = "x".repeat(190);
    let mut logger = start(&["t", "s4000000", "n5", "./log"], scratch.path(), &scratch.path().join("err"));
    let mut input = std::io::BufWriter::with_capacity(1 << 16, logger.child().stdin.take().expect("a pipe"));
    let count = 1_000_000;
    for number in 0..count {
        writeln!(input, "{number:07} {filler}").expect("a logger that reads");
    }
    drop(input.into_inner().expect("a logger that reads"));
    assert_eq!(logger.wait(), 0);
    let log = whole_log(&scratch.path().join("log"));
    let kept = log.lines().count();
    assert!(log.len() > 4 * 3_990_000 && log.len() <= 5 * 4_000_000, "{}", log.len());
    for (line, expected) in log.lines().zip(count - kept..) {
        assert_eq!(line.get(26..), Some(format!("{expected:07} {filler}").as_str()));
    }
}

#[test]
fn a_file_ends_after_its_time_and_an_empty_one_does_not() {
    let scratch = scratch();
    let mut logger = start(&["R1", "./log", "-*", "./empty"], scratch.path(), &scratch.path().join("err"));
    let current = scratch.path().join("log/current");
    for text in ["one\n", "two\n"] {
        write(&mut logger, text.as_bytes());
        wait_until("the line is in the log", || fs::read_to_string(&current).is_ok_and(|log| log == text));
        wait_until("its file is finished", || fs::read_to_string(&current).is_ok_and(|log| log.is_empty()));
    }
    end_input(&mut logger);
    assert_eq!(logger.wait(), 0);
    assert_eq!(whole_log(&scratch.path().join("log")), "one\ntwo\n");
    assert_eq!(fs::read_dir(scratch.path().join("empty")).expect("the log").count(), 3);
}

#[test]
fn the_files_of_a_log_never_have_more_bytes_than_it_may_have() {
    let scratch = scratch();
    let script = ["s4096", "n1000", "S20000", "./log"];
    let input = lines(1..=3000);
    let outcome = Call::ours("multilog").args(script).within(scratch.path()).input(&input).run();
    assert_eq!((outcome.code, outcome.err_text()), (0, String::new()));
    let log = whole_log(&scratch.path().join("log"));
    assert!((12_000..=20_000).contains(&log.len()) && input.ends_with(&log), "{}", log.len());
}

#[test]
fn lines_that_do_not_fit_at_the_end_are_dropped_if_that_is_the_policy() {
    let Some(disk) = FullDisk::new() else { return };
    let mut logger = told_of_the_full_disk(&disk, &["Ddrop", "./log"], "dropping lines");
    end_input(&mut logger);
    wait_until("multilog ended", || !logger.is_alive());
    assert_eq!(logger.wait(), 0);
}

#[test]
fn a_processor_that_hangs_or_fails_longer_than_it_may_leaves_its_file_unprocessed_and_the_log_goes_on() {
    for processor in ["!echo part; sleep 1000; :", "!echo part; exit 1"] {
        let scratch = scratch();
        let script = ["s4096", "n100", processor, "P1", "./log"];
        let input = lines(1..=100);
        let outcome = Call::ours("multilog").args(script).within(scratch.path()).input(&input).run();
        let warning = "multilog: warning: processor out of time in ./log, keeping it unprocessed\n";
        assert_eq!(
            (outcome.code, outcome.err_text().ends_with(warning)),
            (0, true),
            "{}",
            outcome.err_text()
        );
        let log = scratch.path().join("log");
        let names = fs::read_dir(&log).expect("the log").map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<String> = names.map(|name| name.into_string().expect("a name")).collect();
        names.sort();
        assert!(names[0].ends_with(".u") && names[1..] == ["current", "lock", "state"], "{names:?}");
        assert_eq!(whole_log(&log), input);
    }
}
