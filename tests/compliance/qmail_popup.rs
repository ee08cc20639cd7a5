//! `qmail-popup`.

use crate::fixtures::{Fixtures, latin1, matches};
use harness::{Call, Outcome, put_program, scratch};
use std::fs;
use std::path::Path;

/// A program in the place of checkpassword: it keeps what comes on descriptor 3 and exits with `code`, or
/// prints a line first if that is 0.
fn check(directory: &Path, code: i64) -> std::path::PathBuf {
    let path = directory.join("check");
    let kept = directory.join("fd3");
    let script =
        format!("#!/bin/sh\ncat <&3 >'{}'\n[ {code} = 0 ] || exit {code}\necho logged in\n", kept.display());
    put_program(&path, script);
    path
}

fn popup(program: &Path, input: &[u8]) -> Outcome {
    Call::ours("qmail-popup").arg("pop.example").arg(program).input(input).run()
}

/// Cases that differ from the reference on purpose, and what ours answers instead.
const DIFFERENT: [(&str, &str, &str); 1] = [
    // CAPA, RFC 2449.
    (
        "other",
        "-ERR authorization first\r\n+OK \r\n",
        "+OK \r\nTOP\r\nUSER\r\nUIDL\r\nPIPELINING\r\nEXPIRE NEVER\r\n.\r\n+OK \r\n",
    ),
];

#[test]
fn every_measured_case_is_answered_as_measured() {
    let fixtures = Fixtures::load("popup");
    for case in fixtures.cases() {
        let directory = scratch();
        let program = check(directory.path(), case.field("checkexit").as_i64().expect("a status"));
        let outcome = popup(&program, &case.bytes("stdin"));
        let mut out = case.expected("out").as_str().expect("text").to_owned();
        if let Some((_, theirs, ours)) = DIFFERENT.iter().find(|(name, _, _)| *name == case.name()) {
            assert!(out.ends_with(theirs));
            out = out.replace(theirs, ours);
        }
        assert!(matches(out.as_bytes(), &outcome.out), "{}: {}", case.name(), outcome.out_text());
        assert_eq!(outcome.code, case.expected_exit(), "{}", case.name());
        let fd3 = fs::read(directory.path().join("fd3")).unwrap_or_default();
        let expected = if case.expected("fd3").is_null() { Vec::new() } else { latin1(case.expected("fd3")) };
        assert!(matches(&expected, &fd3), "{}: {fd3:?}", case.name());
    }
}

#[test]
fn the_stamp_of_the_greeting_is_what_the_program_gets() {
    let directory = scratch();
    let outcome = popup(&check(directory.path(), 1), b"APOP joe digest\r\n");
    let out = outcome.out_text();
    let (greeting, rest) = out.split_once("\r\n").expect("a line");
    let stamp = greeting.strip_prefix("+OK ").expect("a greeting");
    assert_eq!(rest, "-ERR authorization failed\r\n");
    let fd3 = fs::read_to_string(directory.path().join("fd3")).expect("descriptor 3");
    assert_eq!(fd3, format!("joe\0digest\0{stamp}\0"));
}

/// The client is told what became of its login, whatever the program does.
#[test]
fn a_program_that_fails_dies_or_is_not_there_is_a_refusal() {
    let directory = scratch();
    let login = b"USER joe\r\nPASS x\r\n";
    let outcome = popup(Path::new("/nonexistent"), login);
    assert!(outcome.out_text().ends_with("+OK \r\n-ERR authorization failed\r\n"));
    for (body, reply) in [
        ("kill -9 $$", "-ERR aack, child crashed\r\n"),
        ("exit 2", "-ERR authorization failed\r\n"),
        ("exec 3<&-; exit 111", "-ERR authorization failed\r\n"),
        ("exit 0", "+OK \r\n"),
    ] {
        let program = directory.path().join("program");
        put_program(&program, format!("#!/bin/sh\n{body}\n"));
        let outcome = popup(&program, login);
        assert!(outcome.out_text().ends_with(reply), "{body}: {}", outcome.out_text());
        assert_eq!(outcome.code, 1);
    }
}

#[test]
fn without_a_program_the_usage_is_told_to_the_client() {
    for arguments in [&[][..], &["pop.example"]] {
        let outcome = Call::ours("qmail-popup").args(arguments).run();
        assert_eq!(outcome.out_text(), "-ERR usage: popup hostname subprogram\r\n");
        assert_eq!(outcome.code, 1);
    }
}

/// A client may send everything at once: what follows the login is not for qmail-popup.
#[test]
fn nothing_behind_the_login_is_read() {
    let directory = scratch();
    let program = directory.path().join("program");
    put_program(&program, "#!/bin/sh\ncat <&3 >/dev/null\nexec cat\n");
    let outcome = popup(&program, b"CAPA\r\nUSER joe\r\nPASS x\r\nSTAT\r\nQUIT\r\n");
    assert!(outcome.out_text().ends_with("+OK \r\nSTAT\r\nQUIT\r\n"), "{}", outcome.out_text());
}

/// S4, M1: long lines and NULs reach no program.
#[test]
fn s4_a_line_that_no_program_should_see_is_refused() {
    let directory = scratch();
    let long = "x".repeat(100_000);
    for line in [format!("USER {long}"), "USER joe\0root".to_owned(), format!("APOP joe {long}")] {
        let outcome = popup(&check(directory.path(), 0), format!("{line}\r\nPASS x\r\n").as_bytes());
        let replies = outcome.out_text();
        assert!(replies.ends_with("-ERR syntax error\r\n-ERR USER first\r\n"), "{replies}");
    }
    let outcome = popup(&check(directory.path(), 0), b"USER joe\r\nPASS a\0b\0c\r\n");
    assert!(outcome.out_text().ends_with("-ERR syntax error\r\n"));
    assert!(!directory.path().join("fd3").exists());
}
