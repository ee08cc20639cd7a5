//! `cyclog-read` shows logs of both generations, at rest and while they are written.

use harness::{Call, Running, installed, program, scratch, skipped, wait_until};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

fn read(options: &[&str], directory: &Path) -> String {
    let outcome = Call::ours("cyclog-read").args(options).arg(directory).env("TZ", "UTC0").run();
    assert_eq!((outcome.code, outcome.err_text()), (0, String::new()));
    outcome.out_text()
}

fn lines(numbers: std::ops::Range<usize>) -> String {
    numbers.map(|number| format!("line {number}\n")).collect()
}

/// A logger with its arguments, to which lines are written while its directory `log` is followed.
fn followed(logger: &Path, arguments: &[&str], expected_tail: &str) {
    let scratch = scratch();
    let log = scratch.path().join("log");
    fs::create_dir(&log).expect("a directory");
    let shown = scratch.path().join("shown");
    let mut logger = Running::start(
        Command::new(logger).args(arguments).current_dir(scratch.path()).stdin(Stdio::piped()),
    );
    let mut input = logger.child().stdin.take().expect("a pipe");
    input.write_all(lines(0..1000).as_bytes()).expect("a logger that reads");
    let output = fs::File::create(&shown).expect("a file");
    let _reader = Running::start(Command::new(program("cyclog-read")).arg("-f").arg(&log).stdout(output));
    for batch in 1..20 {
        input.write_all(lines(batch * 1000..(batch + 1) * 1000).as_bytes()).expect("a logger that reads");
        let last = format!("line {}\n", batch * 1000 + 999);
        wait_until("the lines are shown", || fs::read_to_string(&shown).expect("output").ends_with(&last));
    }
    input.write_all(expected_tail.as_bytes()).expect("a logger that reads");
    drop(input);
    assert_eq!(logger.wait(), 0);
    let expected = lines(0..20_000) + expected_tail;
    wait_until("the last line is shown", || fs::read(&shown).expect("output").len() >= expected.len());
    assert!(fs::read_to_string(&shown).expect("output") == expected, "lines are missing or come twice");
}

#[test]
fn all_lines_of_a_cyclog_come_in_order() {
    let scratch = scratch();
    for part in [0..500, 500..900] {
        let outcome = Call::ours("cyclog")
            .args(["-s600", "-m50", "-n1000"])
            .arg(scratch.path())
            .input(lines(part))
            .run();
        assert_eq!(outcome.code, 0);
    }
    fs::write(scratch.path().join("@stray"), "stray\n").expect("a file");
    fs::write(scratch.path().join("other"), "other\n").expect("a file");
    assert_eq!(read(&[], scratch.path()), lines(0..900));
}

#[test]
fn all_lines_of_a_multilog_come_in_order_whoever_wrote_it() {
    for logger in [Some(program("multilog")), installed("multilog")] {
        let Some(logger) = logger else { return skipped("the reference program multilog is not installed") };
        let scratch = scratch();
        for part in [0..1000, 1000..2000] {
            let outcome = Call::path(&logger)
                .args(["s4096", "n99", "./log"])
                .within(scratch.path())
                .input(lines(part))
                .run();
            assert_eq!(outcome.code, 0);
        }
        assert_eq!(read(&[], &scratch.path().join("log")), lines(0..2000));
    }
}

#[test]
fn a_file_that_a_crash_left_unfinished_ends_with_a_line_end() {
    let scratch = scratch();
    for (name, text) in [
        ("@4000000037c219bf2ef02e94.s", "one\ntw"),
        ("@4000000037c219bf2ef02e95.u", "o\npart"),
        ("previous", "three\n"),
        ("current", "four"),
    ] {
        fs::write(scratch.path().join(name), text).expect("a file");
    }
    assert_eq!(read(&[], scratch.path()), "one\ntwo\npart\nthree\nfour");
}

#[test]
fn stamps_of_both_kinds_become_local_time() {
    let scratch = scratch();
    let text = "@4000000037c219bf2ef02e94 mark\n869197736.542713 one\nno stamp\n";
    fs::write(scratch.path().join("current"), text).expect("a file");
    assert_eq!(read(&[], scratch.path()), text);
    let local = "1999-08-24 04:04:05.787492500 mark\n1997-07-18 03:48:56.542713 one\nno stamp\n";
    assert_eq!(read(&["-t"], scratch.path()), local);
    assert_eq!(read(&["--local-time"], scratch.path()), local);
}

#[test]
fn files_that_a_processor_compressed_are_shown_as_they_were() {
    let scratch = scratch();
    let script = ["s4096", "n99", "!gzip", "./log"];
    let outcome = Call::ours("multilog").args(script).within(scratch.path()).input(lines(0..2000)).run();
    assert_eq!((outcome.code, outcome.err_text()), (0, String::new()));
    assert_eq!(read(&[], &scratch.path().join("log")), lines(0..2000));
}

#[test]
fn a_cyclog_is_followed_over_its_rotations() {
    followed(&program("cyclog"), &["-s600", "-m50", "-n10000", "log"], "the end, without a newline");
}

#[test]
fn a_multilog_is_followed_over_its_rotations() {
    followed(&program("multilog"), &["s4096", "n1000", "./log"], "the end\n");
}

#[test]
fn a_multilog_is_followed_while_its_processor_puts_other_files_in_place() {
    followed(&program("multilog"), &["s4096", "n1000", "!gzip", "./log"], "the end\n");
}

#[test]
fn misuse_and_a_missing_directory_are_told() {
    let usage = "cyclog-read: usage: cyclog-read [ -f | --follow ] [ -t | --local-time ] dir\n";
    for arguments in [&[][..], &["-x", "dir"], &["one", "two"]] {
        let outcome = Call::ours("cyclog-read").args(arguments).run();
        assert_eq!((outcome.code, outcome.err_text().as_str()), (100, usage));
    }
    let outcome = Call::ours("cyclog-read").arg("/none").run();
    let text = "cyclog-read: fatal: unable to read /none: file does not exist\n";
    assert_eq!((outcome.code, outcome.err_text().as_str()), (111, text));
}
