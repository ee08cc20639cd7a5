//! `usually` tells usual lines from others as `multilog -PATTERN e` does.

use harness::{Call, Outcome, installed, scratch, skipped};
use std::fs;

fn usually(patterns: &str, input: impl AsRef<[u8]>) -> Outcome {
    let directory = scratch();
    fs::write(directory.path().join("patterns"), patterns).expect("a pattern file");
    Call::ours("usually").arg("patterns").within(directory.path()).input(input).run()
}

/// What is shown on standard error; everything must have passed to standard output.
fn shown(patterns: &str, input: &str) -> String {
    let outcome = usually(patterns, input);
    assert_eq!((outcome.code, outcome.out_text()), (0, input.to_owned()));
    outcome.err_text()
}

#[test]
fn lines_that_match_no_pattern_are_shown_as_by_multilog() {
    let lines = "abc\nabxcdye\nabccde\nab*\n17: status: local 0/10\nstatus\nx y z\nx  z\n";
    for pattern in
        ["abc", "ab*cd*e", "ab*", "*: status: *", "*", "a*c", "*c", "x *z", "x * z", "no such line"]
    {
        let ours = shown(&format!("{pattern}\n"), lines);
        let Some(reference) = installed("multilog") else {
            skipped("the reference program multilog is not installed");
            continue;
        };
        let theirs = Call::path(&reference).arg(format!("-{pattern}")).arg("e").input(lines).run();
        assert_eq!(ours, theirs.err_text(), "{pattern}");
    }
}

#[test]
fn a_star_takes_the_shortest_run_and_never_goes_back() {
    assert_eq!(shown("ab*cd*e\n", "abxcdye\nabccde\n"), "abccde\n");
}

#[test]
fn any_pattern_of_the_file_makes_a_line_usual_and_empty_lines_always_are() {
    assert_eq!(shown("one\ntwo", "one\n\ntwo\nthree\n"), "three\n");
    assert_eq!(shown("", "one\n\n"), "one\n");
}

#[test]
fn a_line_of_500_bytes_or_more_is_compared_and_shown_with_dots() {
    for (length, expected) in [(499, 499), (500, 500), (501, 500), (70_000, 500)] {
        let line = "x".repeat(length);
        let dots = if length >= 500 { "..." } else { "" };
        let cut = format!("{}{dots}", "x".repeat(expected));
        assert_eq!(shown("", &format!("{line}\n")), format!("{cut}\n"));
        assert_eq!(shown(&format!("{cut}\n"), &format!("{line}\n")), "");
    }
}

#[test]
fn a_partial_last_line_passes_and_is_not_shown() {
    assert_eq!(shown("", "one\ntwo"), "one\n");
}

#[test]
fn misuse_and_trouble_are_told_in_the_words_of_the_manual() {
    let outcome = Call::ours("usually").run();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (100, "usually: usage: usually file\n"));
    let outcome = Call::ours("usually").arg("/nowhere/f").input("one\n").run();
    let text = "usually: fatal: unable to read /nowhere/f: file does not exist\n";
    assert_eq!((outcome.code, outcome.err_text().as_str()), (111, text));
    assert_eq!(outcome.out_text(), "");
}

#[test]
fn input_and_output_that_fail_end_it() {
    let directory = scratch();
    fs::write(directory.path().join("patterns"), "").expect("a pattern file");
    let run = |redirection: &str| {
        let script = format!("exec \"$0\" patterns {redirection}");
        Call::path(std::path::Path::new("/bin/sh"))
            .args(["-c", &script])
            .arg(harness::program("usually"))
            .within(directory.path())
            .input("one\n")
            .run()
    };
    let outcome = run("</tmp");
    assert_eq!(
        (outcome.code, outcome.err_text().as_str()),
        (111, "usually: fatal: unable to read input: is a directory\n")
    );
    let outcome = run(">/dev/full");
    let text = "usually: fatal: unable to write output: out of disk space\n";
    assert_eq!((outcome.code, outcome.err_text().as_str()), (111, text));
    // Nobody to show lines to is no reason to stop the log.
    assert_eq!(run("2>/dev/full").code, 0);
}
