//! `accustamp` does to lines what `tai64n` does, with a decimal stamp.

use harness::{Call, installed, program, scratch, skipped};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Output with `S` for each stamp, which is checked.
fn without_stamps(output: &[u8], is_stamp: fn(&str) -> bool) -> String {
    let text = String::from_utf8_lossy(output).into_owned();
    text.split_inclusive('\n')
        .map(|line| {
            let (stamp, rest) = line.split_once(' ').expect("a space after the stamp");
            assert!(is_stamp(stamp), "{line:?}");
            format!("S {rest}")
        })
        .collect()
}

fn is_decimal(stamp: &str) -> bool {
    stamp.split_once('.').is_some_and(|(seconds, fraction)| {
        seconds.len() == 10
            && fraction.len() == 6
            && (seconds.to_owned() + fraction).bytes().all(|b| b.is_ascii_digit())
    })
}

fn is_tai64n(stamp: &str) -> bool {
    stamp.len() == 25 && stamp.starts_with('@')
}

#[test]
fn lines_pass_unchanged_after_their_stamps_as_through_tai64n() {
    let long = "x".repeat(200_000) + "\nafter it\n";
    for input in
        ["", "one\n", "\n", "\n\n", "one\ntwo\nthree\n", "partial", "one\npartial", "nul \0 cr \r\n", &long]
    {
        let ours = Call::ours("accustamp").arg("ignored").input(input).run();
        assert_eq!((ours.code, ours.err_text()), (0, String::new()));
        let lines = without_stamps(&ours.out, is_decimal);
        assert_eq!(lines, input.split_inclusive('\n').map(|line| format!("S {line}")).collect::<String>());
        match installed("tai64n") {
            Some(reference) => {
                let theirs = Call::path(&reference).input(input).run();
                assert_eq!(without_stamps(&theirs.out, is_tai64n), lines);
            }
            None => skipped("the reference program tai64n is not installed"),
        }
    }
}

#[test]
fn a_stamp_is_the_time_of_the_system_clock_in_unix_seconds() {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs();
    let before = now();
    let text = Call::ours("accustamp").input("x\n").run().out_text();
    let second: u64 = text.split('.').next().and_then(|second| second.parse().ok()).expect("a number");
    assert!((before..=now()).contains(&second), "{text}");
}

#[test]
fn output_that_fails_ends_it_silently_as_it_ends_tai64n() {
    for path in installed("tai64n").into_iter().chain([program("accustamp")]) {
        let script = "exec \"$0\" >/dev/full";
        let outcome = Call::path(Path::new("/bin/sh")).args(["-c", script]).arg(path).input("one\n").run();
        assert_eq!((outcome.code, outcome.err_text()), (111, String::new()));
    }
}

#[test]
fn input_that_cannot_be_read_is_its_end() {
    let directory = scratch();
    let script = "exec \"$0\" <\"$1\"";
    let outcome = Call::path(Path::new("/bin/sh"))
        .args(["-c", script])
        .arg(program("accustamp"))
        .arg(directory.path())
        .run();
    assert_eq!((outcome.code, outcome.out, outcome.err), (0, Vec::new(), Vec::new()));
}
