//! `tai64n` puts labels before lines, and `tai64nlocal` makes them readable.

use harness::{Call, assert, assert_eq, both};
use std::path::Path;

/// The lines of `tai64n`'s output without their labels, and the labels.
fn stamped(program: &Path, input: &str) -> (String, Vec<String>) {
    let outcome = Call::path(program).input(input).run();
    assert_eq!((outcome.code, outcome.err_text()), (0, String::new()));
    let mut text = String::new();
    let mut labels = Vec::new();
    for line in outcome.out_text().split_inclusive('\n') {
        let (label, rest) = line.split_at(26);
        assert!(label.starts_with("@400000006") && label.ends_with(' '), "{line}");
        assert!(label[1..25].bytes().all(|byte| b"0123456789abcdef".contains(&byte)), "{line}");
        labels.push(label.to_owned());
        text.push_str(rest);
    }
    (text, labels)
}

#[test]
fn every_line_is_labelled_and_a_partial_last_one_stays_partial() {
    both("tai64n", |program| {
        for input in ["", "\n", "one\n", "one\n\ntwo\npart", "a\0b\u{e9}\n"] {
            let (text, labels) = stamped(program, input);
            assert_eq!(text, input);
            assert!(labels.is_sorted());
        }
    });
}

#[test]
fn arguments_of_tai64n_are_ignored() {
    both("tai64n", |program| {
        let outcome = Call::path(program).args(["-x", "file"]).input("one\n").run();
        assert_eq!((outcome.code, outcome.out.len(), outcome.err_text()), (0, 30, String::new()));
    });
}

#[test]
fn trouble_with_either_end_is_told_by_the_exit_status_alone() {
    for name in ["tai64n", "tai64nlocal"] {
        both(name, |program| {
            let mut full = Call::path(Path::new("/bin/sh")).args(["-c", "\"$0\" >/dev/full"]);
            full = full.arg(program).input("one\n");
            let outcome = full.run();
            assert_eq!((outcome.code, outcome.err_text()), (111, String::new()));
            let directory = Call::path(Path::new("/bin/sh")).args(["-c", "\"$0\" </"]).arg(program).run();
            assert_eq!((directory.code, directory.err_text()), (111, String::new()));
        });
    }
}

fn local(program: &Path, zone: &str, input: impl AsRef<[u8]>) -> String {
    let outcome = Call::path(program).env("TZ", zone).input(input).run();
    assert_eq!((outcome.code, outcome.err_text()), (0, String::new()));
    outcome.out_text()
}

#[test]
fn labels_become_local_time_with_nine_digits_of_fraction() {
    both("tai64nlocal", |program| {
        let line = "@4000000037c219bf2ef02e94 mark\n";
        assert_eq!(local(program, "UTC0", line), "1999-08-24 04:04:05.787492500 mark\n");
        assert_eq!(local(program, "US/Pacific", line), "1999-08-23 21:04:05.787492500 mark\n");
        assert_eq!(local(program, "UTC0", "@400000000000000a00000001\n"), "1970-01-01 00:00:00.000000001\n");
        assert_eq!(
            local(program, "UTC0", "@400000000000000000000000\tx"),
            "1969-12-31 23:59:50.000000000\tx"
        );
        assert_eq!(
            local(program, "UTC0", "@4000000037c219bfffef2e94:x\n"),
            "1999-08-24 04:04:05.4293865108:x\n"
        );
    });
}

#[test]
fn only_the_first_column_is_looked_at() {
    both("tai64nlocal", |program| {
        let input = "no label\n\n @4000000037c219bf2ef02e94 x\nx@4000000037c219bf2ef02e94 x\npart";
        assert_eq!(local(program, "UTC0", input), input);
    });
}

#[test]
fn texts_that_are_no_labels_pass_unchanged() {
    let program = harness::program("tai64nlocal");
    let input = "@\n@zz\n@40000000 x\n@4000000037C219BF2EF02E94 x\n@4000000037c219bf2ef02e945 x\n\
                 @ffffffffffffffffffffffff x\n@4000000037c219bf2ef02e94";
    assert_eq!(local(&program, "UTC0", input), input);
}

#[test]
fn what_tai64n_wrote_is_the_present_time() {
    both("tai64n", |program| {
        let labelled = Call::path(program).input("one\n").run().out;
        let now =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_secs();
        let seconds = u64::from_str_radix(std::str::from_utf8(&labelled[1..17]).expect("digits"), 16)
            .expect("a number");
        let seconds = seconds - (1 << 62) - 10;
        assert!((now - 60..=now).contains(&seconds), "{seconds} is not about {now}");
        assert!(
            labelled[17..25].ends_with(b"4") || labelled[17..25].ends_with(b"c"),
            "500 more than microseconds"
        );
    });
}
