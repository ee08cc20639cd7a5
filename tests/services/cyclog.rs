//! A log from service to disk: `accustamp | usually | cyclog`, with much to write, full disks and signals.

use crate::disk::{FullDisk, Mount};
use harness::{Call, Running, program, scratch, skipped, wait_until};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use unix::signal::Signal;

/// The names in a directory, in byte order.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("the directory");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name")).collect();
    names.sort();
    names
}

/// The log files in byte order of their names, which is their age.
fn logs(directory: &Path) -> Vec<PathBuf> {
    let all = names(directory).into_iter().map(|name| directory.join(name));
    all.filter(|path| path.is_file()).collect()
}

fn whole_log(directory: &Path) -> Vec<u8> {
    logs(directory).iter().flat_map(|path| fs::read(path).expect("a log file")).collect()
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).expect("a file").permissions().mode() & 0o7777
}

/// Starts cyclog with a pipe to it and its standard error in a file.
fn start_cyclog(options: &[&str], directory: &Path, errors: &Path) -> Running {
    let errors = fs::File::create(errors).expect("a file for standard error");
    Running::start(
        Command::new(program("cyclog")).args(options).arg(directory).stdin(Stdio::piped()).stderr(errors),
    )
}

fn write(logger: &mut Running, bytes: &[u8]) {
    logger.child().stdin.as_mut().expect("a pipe").write_all(bytes).expect("a logger that reads");
}

fn end_input(logger: &mut Running) {
    drop(logger.child().stdin.take());
}

fn numbered_lines(numbers: std::ops::RangeInclusive<usize>) -> Vec<u8> {
    numbers
        .flat_map(|number| format!("line {number} of those that must not be lost\n").into_bytes())
        .collect()
}

#[test]
fn starts_without_input_leave_one_empty_file_and_push_no_full_one_out() {
    let scratch = scratch();
    let run = |input: &str| {
        let outcome = Call::ours("cyclog").args(["-n", "2"]).arg(scratch.path()).input(input).run();
        assert_eq!((outcome.code, outcome.err_text()), (0, String::new()));
    };
    run("kept\n");
    for _ in 0..5 {
        run("");
    }
    let mut sizes: Vec<u64> = std::fs::read_dir(scratch.path())
        .expect("the log directory")
        .map(|entry| entry.expect("a file").metadata().expect("its size").len())
        .collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [0, 5]);
}

#[test]
fn of_200_megabytes_the_newest_lines_stay_in_few_files_of_bounded_size() {
    const VOLUME: usize = 200_000_000;
    const SIZE: u64 = 4_000_000;
    const FILES: usize = 5;
    let filler = "x".repeat(190);
    let directory = scratch();
    let mut stamper =
        Running::start(Command::new(program("accustamp")).stdin(Stdio::piped()).stdout(Stdio::piped()));
    let stamped = stamper.child().stdout.take().expect("a pipe");
    let mut logger = Running::start(
        Command::new(program("cyclog"))
            .args([format!("-s{SIZE}"), format!("-n{FILES}")])
            .arg(directory.path())
            .stdin(stamped),
    );
    let mut input = std::io::BufWriter::with_capacity(1 << 16, stamper.child().stdin.take().expect("a pipe"));
    let count = VOLUME / (filler.len() + 9);
    for number in 0..count {
        writeln!(input, "{number:07} {filler}").expect("a stamper that reads");
    }
    drop(input.into_inner().expect("a stamper that reads"));
    assert_eq!((stamper.wait(), logger.wait()), (0, 0));

    let files = logs(directory.path());
    assert_eq!(files.len(), FILES);
    assert!(
        files.iter().all(|file| fs::metadata(file).expect("a file").len() <= SIZE && mode(file) == 0o444)
    );
    let log = String::from_utf8(whole_log(directory.path())).expect("text");
    let kept = log.lines().count();
    assert!(kept as u64 * 220 > SIZE * 3, "only {kept} lines are left");
    for (line, expected) in log.lines().zip(count - kept..) {
        let (stamp, text) = line.split_once(' ').expect("a stamp and a line");
        assert!(stamp.len() == 17 && stamp.as_bytes()[10] == b'.', "{line}");
        assert_eq!(text, format!("{expected:07} {filler}"));
    }
    assert!(log.ends_with('\n'));
}

#[test]
fn many_files_of_one_second_are_kept_in_the_order_of_their_age() {
    let directory = scratch();
    let input: Vec<u8> = (0..200_000).flat_map(|number: u32| format!("{number}\n").into_bytes()).collect();
    let outcome =
        Call::ours("cyclog").args(["-s600", "-m50", "-n1000000"]).arg(directory.path()).input(&input).run();
    assert_eq!((outcome.code, outcome.err_text()), (0, String::new()));
    assert!(logs(directory.path()).len() > 2000);
    assert_eq!(whole_log(directory.path()), input);

    // Pruning follows the same order.
    let outcome = Call::ours("cyclog").args(["-n11"]).arg(directory.path()).input("last\n").run();
    assert_eq!(outcome.code, 0);
    assert_eq!(logs(directory.path()).len(), 11);
    assert!([&input[..], b"last\n"].concat().ends_with(&whole_log(directory.path())));
}

#[test]
fn r6_files_from_a_later_time_stay_the_older_ones() {
    let directory = scratch();
    for name in ["@00009999999998", "@00009999999999", "@00009999999999.000007"] {
        fs::write(directory.path().join(name), name).expect("a log from the future");
    }
    let outcome = Call::ours("cyclog").args(["-n2"]).arg(directory.path()).input("now\n").run();
    assert_eq!(outcome.code, 0);
    assert_eq!(names(directory.path()), ["@00009999999999.000007", "@00009999999999.000008"]);
    assert!(whole_log(directory.path()).ends_with(b"now\n"));
}

#[test]
fn with_one_file_input_that_fills_it_is_not_lost_to_an_empty_one() {
    let directory = scratch();
    let outcome = Call::ours("cyclog").args(["-s512", "-n1"]).arg(directory.path()).input([b'x'; 1024]).run();
    assert_eq!(outcome.code, 0);
    assert_eq!(whole_log(directory.path()), [b'x'; 512]);
}

#[test]
fn r5_directories_named_like_logs_are_neither_counted_nor_removed() {
    let directory = scratch();
    for name in ["@00000000000001", "@stray", "@99999999999998"] {
        fs::create_dir(directory.path().join(name)).expect("a directory");
    }
    fs::write(directory.path().join("@00000000000002"), "old\n").expect("an old log");
    let outcome = Call::ours("cyclog")
        .args(["-s512", "-m512", "-n3"])
        .arg(directory.path())
        .input("one\ntwo\nthree\nfour\n")
        .run();
    assert_eq!((outcome.code, outcome.err_text()), (0, String::new()));
    assert_eq!(logs(directory.path()).len(), 3);
    assert_eq!(whole_log(directory.path()), b"two\nthree\nfour\n");
    assert_eq!(names(directory.path()).len(), 6);
}

#[test]
fn term_leaves_a_finished_file_with_all_that_was_read_and_the_line_completed() {
    let directory = scratch();
    let errors = scratch();
    let mut logger = start_cyclog(&[], directory.path(), &errors.path().join("err"));
    write(&mut logger, b"one\ntw");
    wait_until("what was written is in the file", || whole_log(directory.path()) == b"one\ntw");
    // cyclog sees both together when it goes on: the rest of the line, and that it has to end.
    logger.signal(Signal::SIGSTOP);
    write(&mut logger, b"o\nthree\n");
    logger.signal(Signal::SIGTERM);
    logger.signal(Signal::SIGCONT);
    wait_until("cyclog ended", || !logger.is_alive());
    assert_eq!(logger.wait(), 0);
    let files = logs(directory.path());
    assert_eq!(files.len(), 1);
    assert_eq!(mode(&files[0]), 0o444);
    let log = String::from_utf8(whole_log(directory.path())).expect("text");
    assert_eq!(log, "one\ntwo\n");
}

#[test]
fn term_does_not_wait_for_the_rest_of_a_line() {
    let directory = scratch();
    let errors = scratch();
    let mut logger = start_cyclog(&[], directory.path(), &errors.path().join("err"));
    write(&mut logger, b"par");
    wait_until("what was written is in the file", || whole_log(directory.path()) == b"par");
    logger.signal(Signal::SIGTERM);
    wait_until("cyclog ended", || !logger.is_alive());
    assert_eq!(logger.wait(), 0);
    assert_eq!(whole_log(directory.path()), b"par");
}

/// A full disk with an empty log directory on it.
fn full_disk() -> Option<FullDisk> {
    let disk = FullDisk::new()?;
    disk.fill();
    Some(disk)
}

/// Starts cyclog, logs 30 lines and waits until it says that it cannot write them.
fn cyclog_paused_with_30_lines(disk: &FullDisk) -> Running {
    let mut logger = start_cyclog(&["-s600", "-m100"], &disk.logs(), &disk.error_file());
    write(&mut logger, &numbered_lines(1..=30));
    wait_until("cyclog says that the disk is full", || {
        let text = disk.errors();
        text.starts_with("cyclog: warning: unable to write to @")
            && text.ends_with(", pausing: out of disk space\n")
    });
    logger
}

#[test]
fn r1_a_full_disk_delays_lines_and_loses_none() {
    let Some(disk) = full_disk() else { return };
    let mut logger = cyclog_paused_with_30_lines(&disk);
    assert_eq!(whole_log(&disk.logs()), b"");
    disk.make_space();
    wait_until("the lines are in the log", || whole_log(&disk.logs()) == numbered_lines(1..=30));
    write(&mut logger, &numbered_lines(31..=40));
    end_input(&mut logger);
    assert_eq!(logger.wait(), 0);
    assert_eq!(whole_log(&disk.logs()), numbered_lines(1..=40));
    assert_eq!(disk.errors().lines().count(), 1);
}

#[test]
fn r1_a_disk_without_room_for_files_delays_lines_and_loses_none() {
    let Some(disk) = FullDisk::new() else { return };
    let mut logger = start_cyclog(&["-s600", "-m100"], &disk.logs(), &disk.error_file());
    wait_until("the first file is there", || !logs(&disk.logs()).is_empty());
    disk.fill_with_files();
    write(&mut logger, &numbered_lines(1..=30));
    wait_until("cyclog says that it cannot make a file", || {
        let text = disk.errors();
        text.starts_with("cyclog: warning: unable to create @")
            && text.ends_with(", pausing: out of disk space\n")
    });
    disk.make_room();
    end_input(&mut logger);
    assert_eq!(logger.wait(), 0);
    assert_eq!(whole_log(&disk.logs()), numbered_lines(1..=30));
}

#[test]
fn r5_term_ends_a_paused_cyclog_which_says_what_is_lost() {
    let Some(disk) = full_disk() else { return };
    let mut logger = cyclog_paused_with_30_lines(&disk);
    logger.signal(Signal::SIGTERM);
    wait_until("cyclog ended", || !logger.is_alive());
    assert_eq!(logger.wait(), 111);
    let lost = format!(", {} bytes lost: out of disk space", numbered_lines(1..=30).len());
    let text = disk.errors();
    assert!(text.lines().any(|line| line.starts_with("cyclog: fatal: ") && line.ends_with(&lost)), "{text}");
    assert!(logs(&disk.logs()).iter().all(|file| mode(file) == 0o444));
}

#[test]
fn r5_term_after_space_was_made_writes_what_was_read() {
    let Some(disk) = full_disk() else { return };
    let mut logger = cyclog_paused_with_30_lines(&disk);
    logger.signal(Signal::SIGSTOP);
    disk.make_space();
    logger.signal(Signal::SIGTERM);
    logger.signal(Signal::SIGCONT);
    wait_until("cyclog ended", || !logger.is_alive());
    assert_eq!(logger.wait(), 0);
    assert_eq!(whole_log(&disk.logs()), numbered_lines(1..=30));
}

#[test]
fn r5_a_file_that_cannot_be_removed_stays_and_the_log_goes_on() {
    let directory = scratch();
    let oldest = directory.path().join("@00000000000001");
    fs::write(&oldest, "").expect("an old log");
    let Some(_mount) = Mount::new(&["--bind", "/dev/null"], oldest.clone()) else { return };
    let outcome = Call::ours("cyclog")
        .args(["-s512", "-m512", "-n3"])
        .arg(directory.path())
        .input("one\ntwo\nthree\nfour\nfive\n")
        .run();
    assert_eq!(outcome.code, 0);
    let warning = "cyclog: warning: unable to remove @00000000000001: device busy\n";
    assert_eq!(outcome.err_text(), warning);
    let names = names(directory.path());
    assert_eq!((names.len(), names[0].as_str()), (4, "@00000000000001"));
    let kept: Vec<u8> =
        logs(directory.path()).iter().flat_map(|path| fs::read(path).expect("a log")).collect();
    assert_eq!(kept, b"three\nfour\nfive\n");
}

#[test]
fn r2_a_file_whose_fsync_failed_is_not_taken_for_one_on_disk() {
    let works = Command::new("strace").args(["-o", "/dev/null", "true"]).status();
    if !works.is_ok_and(|status| status.success()) {
        return skipped("strace, which makes fsync fail, does not work here");
    }
    let directory = scratch();
    let outcome = Call::path(Path::new("strace"))
        .args(["-qq", "-o", "/dev/null", "-e", "trace=fsync", "-e", "inject=fsync:error=EIO:when=1"])
        .arg(program("cyclog"))
        .args(["-s512", "-m512"])
        .arg(directory.path())
        .input("one\ntwo\n")
        .run();
    assert_eq!(outcome.code, 0);
    let files = logs(directory.path());
    assert_eq!(files.iter().map(|file| mode(file)).collect::<Vec<_>>(), [0o644, 0o444]);
    assert_eq!(whole_log(directory.path()), b"one\ntwo\n");
    let name = files[0].file_name().and_then(|name| name.to_str()).expect("a name");
    let warning =
        format!("cyclog: warning: unable to sync to {name}, part of it may be lost: input/output error\n");
    assert_eq!(outcome.err_text(), warning);
}

#[test]
fn spilled_lines_wait_in_memory_and_the_service_does_not() {
    let Some(disk) = full_disk() else { return };
    let mut logger = start_cyclog(&["-Dspill=10000000"], &disk.logs(), &disk.error_file());
    // More than a pipe holds: this ends because cyclog reads.
    write(&mut logger, &numbered_lines(1..=8000));
    assert_eq!(whole_log(&disk.logs()), b"");
    disk.make_space();
    disk.make_larger();
    end_input(&mut logger);
    assert_eq!(logger.wait(), 0);
    assert!(whole_log(&disk.logs()) == numbered_lines(1..=8000), "lines are missing");
    assert!(disk.errors().ends_with(", keeping lines in memory: out of disk space\n"), "{}", disk.errors());
}

#[test]
fn dropped_lines_leave_one_line_that_counts_them() {
    let Some(disk) = full_disk() else { return };
    let mut logger = start_cyclog(&["-D", "drop"], &disk.logs(), &disk.error_file());
    write(&mut logger, &numbered_lines(1..=3000));
    wait_until("cyclog says so", || disk.errors().ends_with(", dropping lines: out of disk space\n"));
    disk.make_space();
    wait_until("the log goes on", || {
        write(&mut logger, b"afterwards\n");
        whole_log(&disk.logs()).ends_with(b"afterwards\n")
    });
    end_input(&mut logger);
    assert_eq!(logger.wait(), 0);
    let log = String::from_utf8(whole_log(&disk.logs())).expect("text");
    let (count, after) =
        log.split_once(" lines dropped: out of disk space\n").expect("the line with the count");
    assert!(count.parse::<usize>().expect("only the count") >= 2000, "{count}");
    assert!(!after.contains("dropped"), "{after}");
}

#[test]
fn a_file_ends_after_its_time() {
    let directory = scratch();
    let errors = scratch();
    let mut logger = start_cyclog(&["-R1"], directory.path(), &errors.path().join("err"));
    for (number, text) in [b"one\n", b"two\n"].into_iter().enumerate() {
        write(&mut logger, text);
        wait_until("the file of the line is finished", || {
            let files = logs(directory.path());
            files.len() == number + 1 && files.iter().all(|file| mode(file) == 0o444)
        });
    }
    end_input(&mut logger);
    assert_eq!(logger.wait(), 0);
    assert_eq!(whole_log(directory.path()), b"one\ntwo\n");
}

#[test]
fn the_files_of_a_log_never_have_more_bytes_than_it_may_have() {
    let directory = scratch();
    let input = numbered_lines(1..=1000);
    let options = ["-s1000", "-m100", "-n1000", "-S5000"];
    let outcome = Call::ours("cyclog").args(options).arg(directory.path()).input(&input).run();
    assert_eq!((outcome.code, outcome.err_text()), (0, String::new()));
    let log = whole_log(directory.path());
    assert!((3500..=5000).contains(&log.len()) && input.ends_with(&log), "{}", log.len());

    // Nor has one file of it, however large files may be.
    let directory = scratch();
    let outcome = Call::ours("cyclog").arg("-S5000").arg(directory.path()).input(&input).run();
    assert_eq!((outcome.code, outcome.err_text()), (0, String::new()));
    let log = whole_log(directory.path());
    assert!(!log.is_empty() && log.len() <= 5000 && input.ends_with(&log), "{}", log.len());
}

#[test]
fn complete_files_go_through_the_processor_and_keep_their_names() {
    let directory = scratch();
    let options = ["-s600", "-m100", "-n1000"];
    let input = numbered_lines(1..=100);
    let outcome = Call::ours("cyclog").args(options).arg(directory.path()).arg("!gzip").input(&input).run();
    assert_eq!((outcome.code, outcome.err_text()), (0, String::new()));
    let files = logs(directory.path());
    let (last, complete) = files.split_last().expect("files");
    assert!(complete.len() > 3);
    for file in complete {
        assert!(fs::read(file).expect("a file").starts_with(b"\x1f\x8b") && mode(file) == 0o444);
    }
    assert!(fs::read(last).expect("a file").starts_with(b"line "));
    let shown = Call::ours("cyclog-read").arg(directory.path()).run();
    assert_eq!((shown.code, shown.err_text()), (0, String::new()));
    assert_eq!(shown.out, input);
}

#[test]
fn r5_term_during_retries_of_a_processor_ends_it_and_loses_nothing() {
    let directory = scratch();
    let errors = directory.path().join("err");
    let log = directory.path().join("log");
    fs::create_dir(&log).expect("a directory");
    let output = fs::File::create(&errors).expect("a file for standard error");
    let mut logger = Running::start(
        Command::new(program("cyclog"))
            .args(["-s600", "-m100"])
            .arg(&log)
            .arg("!exit 1")
            .stdin(Stdio::piped())
            .stderr(output),
    );
    write(&mut logger, &numbered_lines(1..=14));
    wait_until("the processor failed", || {
        fs::read_to_string(&errors).expect("errors").contains("processor failed for @")
    });
    logger.signal(Signal::SIGTERM);
    wait_until("cyclog ended", || !logger.is_alive());
    assert_eq!(logger.wait(), 0);
    assert!(!log.join("processed").exists());
    assert_eq!(whole_log(&log), numbered_lines(1..=14));
}

#[test]
fn a_processor_that_hangs_or_fails_longer_than_it_may_leaves_its_file_as_it_was_logged() {
    for processor in ["!echo part; sleep 1000; :", "!echo part; exit 1"] {
        let directory = scratch();
        let options = ["-s600", "-m100", "-P1"];
        let input = numbered_lines(1..=30);
        let outcome =
            Call::ours("cyclog").args(options).arg(directory.path()).arg(processor).input(&input).run();
        assert_eq!(outcome.code, 0);
        let errors = outcome.err_text();
        assert!(errors.contains("cyclog: warning: processor out of time for @"), "{errors}");
        assert!(errors.ends_with(", keeping it as it was logged\n"), "{errors}");
        assert_eq!(whole_log(directory.path()), input);
        assert!(names(directory.path()).iter().all(|name| name.starts_with('@')));
        assert!(logs(directory.path()).iter().all(|file| mode(file) == 0o444));
    }
}

#[test]
fn when_the_processor_finds_no_space_lines_are_dropped_if_that_is_the_policy() {
    let Some(disk) = FullDisk::new() else { return };
    // The copy of the first file finds no space, and goes on when a file says so.
    let processor = format!("!cat; test -e {0} || exec cat /dev/zero", disk.place().join("go").display());
    let errors = fs::File::create(disk.error_file()).expect("a file for standard error");
    let mut logger = Running::start(
        Command::new(program("cyclog"))
            .args(["-Ddrop", "-s600", "-m100"])
            .arg(disk.logs())
            .arg(processor)
            .stdin(Stdio::piped())
            .stderr(errors),
    );
    // More than a pipe holds: this ends because cyclog reads.
    write(&mut logger, &numbered_lines(1..=8000));
    fs::write(disk.place().join("go"), "").expect("a file that holds nothing");
    wait_until("the log goes on", || {
        write(&mut logger, b"afterwards\n");
        whole_log(&disk.logs()).ends_with(b"afterwards\n")
    });
    end_input(&mut logger);
    assert_eq!(logger.wait(), 0);
    let told = |line: &str| {
        line.starts_with("cyclog: warning: processor failed for @")
            && line.ends_with(", dropping lines: out of disk space")
    };
    assert!(disk.errors().lines().any(told), "{}", disk.errors());
    let log = String::from_utf8(whole_log(&disk.logs())).expect("text");
    assert_eq!(log.matches(" lines dropped: out of disk space\n").count(), 1, "{log}");
}

/// L8: bytes pass unchanged, and none of them but the newline is the end of a line.
#[test]
fn l8_a_line_is_one_line_of_the_log_and_of_what_is_shown_whatever_its_bytes() {
    let directory = scratch();
    fs::create_dir(directory.path().join("log")).expect("a directory");
    fs::write(directory.path().join("patterns"), "").expect("a pattern file");
    let lines: Vec<Vec<u8>> =
        (0..=255).filter(|byte| *byte != b'\n').map(|byte| [b'<', byte, b'\r', b'>'].to_vec()).collect();
    let input = [lines.join(&b'\n'), b"\n".to_vec()].concat();
    let shell = |script: &str| {
        let path = format!("{}:/usr/bin:/bin", harness::programs().display());
        let call = Call::path(Path::new("/bin/sh")).args(["-c", script]).env("PATH", path);
        let outcome = call.within(directory.path()).input(&input).run();
        assert_eq!(outcome.code, 0);
        outcome
    };
    let shown = shell("usually patterns | cyclog log");
    assert!(shown.err == input && whole_log(&directory.path().join("log")) == input);
    let shown = shell("accustamp -- multilog t e =status +'*>' ./labelled; cyclog-read labelled");
    for lines_shown in [&shown.out, &shown.err] {
        let of_lines: Vec<&[u8]> = lines_shown.split_inclusive(|byte| *byte == b'\n').collect();
        assert_eq!(of_lines.len(), lines.len());
        assert!(
            of_lines.iter().zip(&lines).all(|(shown, line)| shown[26 + 18..] == [line, &b"\n"[..]].concat())
        );
    }
}

#[test]
fn usually_reads_its_patterns_again_after_hup_and_keeps_them_if_it_cannot() {
    let directory = scratch();
    let (patterns, errors) = (directory.path().join("patterns"), directory.path().join("err"));
    let shown = || fs::read_to_string(&errors).expect("standard error");
    fs::write(&patterns, "usual *\n").expect("a pattern file");
    let mut usually = Running::start(
        Command::new(program("usually"))
            .arg(&patterns)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&errors).expect("a file for standard error")),
    );
    write(&mut usually, b"usual 1\nodd 1\n");
    wait_until("the odd line is shown", || shown() == "odd 1\n");

    fs::write(&patterns, "odd *\n").expect("a pattern file");
    usually.signal(Signal::SIGHUP);
    write(&mut usually, b"odd 2\nusual 2\n");
    wait_until("the new pattern holds", || shown() == "odd 1\nusual 2\n");

    fs::remove_file(&patterns).expect("the pattern file");
    usually.signal(Signal::SIGHUP);
    write(&mut usually, b"odd 3\nusual 3\n");
    let warning = format!(
        "usually: warning: unable to read {}, keeping the old patterns: file does not exist\n",
        patterns.display()
    );
    wait_until("the old pattern holds", || shown() == format!("odd 1\nusual 2\n{warning}usual 3\n"));
    end_input(&mut usually);
    assert_eq!(usually.wait(), 0);
}
