//! Programs for `.qmail` lines: `forward`, `condredirect`, `bouncesaying`, `except`, `preline`, `qsmhook`.

use harness::{Call, Outcome, UserHome};

/// A script that answers with a status.
fn with_status(home: &UserHome, status: &str) -> String {
    let path = home.file("answer", format!("#!/bin/sh\nhead -c 3 >/dev/null\n{status}\n"), 0o755);
    path.display().to_string()
}

fn run(home: &UserHome, program: &str, words: &[&str]) -> Outcome {
    let call = home.call(program, "Subject: t\n\nbody\n").args(words);
    let variables = [
        ("SENDER", "s@x"),
        ("NEWSENDER", "n@x"),
        ("DTLINE", "Delivered-To: a@b\n"),
        ("UFLINE", "From s@x date\n"),
    ];
    variables
        .into_iter()
        .fold(call, |call, (name, value)| call.env(name, value))
        .env("RPLINE", "Return-Path: <s@x>\n")
        .run()
}

fn said(outcome: &Outcome) -> (i32, String) {
    (outcome.code, outcome.err_text())
}

#[test]
fn forward_sends_the_message_to_each_address_from_newsender() {
    let home = UserHome::new();
    let outcome = run(&home, "forward", &["a@b", "-c@d"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.err_text().starts_with("forward: qp "));
    assert_eq!(home.queue().messages(), [b"Delivered-To: a@b\nSubject: t\n\nbody\n"]);
    assert_eq!(home.queue().envelopes(), [b"Fn@x\0Ta@b\0T-c@d\0\0"]);
}

#[test]
fn forward_reads_the_message_from_where_it_is() {
    let home = UserHome::new();
    let shell = "read line; exec \"$0\" a@b";
    let call = home.as_user(Call::path(std::path::Path::new("/bin/bash"))).arg("-c").arg(shell);
    let call = call.arg(home.mail().program("forward")).input_file("first\nsecond\n");
    let outcome = call.env("NEWSENDER", "").env("DTLINE", "D: x\n").run();
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(home.queue().messages(), [b"D: x\nsecond\n"]);
}

#[test]
fn outside_qmail_local_nothing_is_forwarded() {
    let home = UserHome::new();
    let call = |program: &str, words: &[&str], name: &str| {
        let mut call = home.call(program, "x\n").args(words).env(name, "D: x\n");
        for other in ["NEWSENDER", "SENDER", "DTLINE"].iter().filter(|other| **other != name) {
            call.command().env_remove(other);
        }
        said(&call.run())
    };
    assert_eq!(call("forward", &["a"], "DTLINE"), (100, "forward: fatal: NEWSENDER not set\n".into()));
    assert_eq!(call("forward", &["a"], "NEWSENDER"), (100, "forward: fatal: DTLINE not set\n".into()));
    let redirect = ["a@b", "true"];
    assert_eq!(
        call("condredirect", &redirect, "DTLINE"),
        (100, "condredirect: fatal: SENDER not set\n".into())
    );
    assert_eq!(
        call("condredirect", &redirect, "SENDER"),
        (100, "condredirect: fatal: DTLINE not set\n".into())
    );
    assert!(home.queue().messages().is_empty());
}

#[test]
fn what_the_queue_refuses_is_refused_with_its_words() {
    let home = UserHome::new();
    for (status, expected) in [
        ("11", (100, "forward: fatal: envelope address too long for qq (#5.1.3)\n")),
        ("52", (111, "forward: fatal: qq timeout (#4.3.0)\n")),
    ] {
        let call = home.call("forward", "x\n").arg("a@b").env("FAKEQUEUE_EXIT", status);
        let outcome = call.env("NEWSENDER", "n").env("DTLINE", "D: x\n").run();
        assert_eq!(said(&outcome), (expected.0, expected.1.to_owned()));
    }
}

#[test]
fn condredirect_redirects_the_whole_message_when_the_program_says_yes() {
    let home = UserHome::new();
    let yes = with_status(&home, "exit 0");
    let outcome = run(&home, "condredirect", &["new@x", &yes]);
    assert_eq!(outcome.code, 99, "{outcome:?}");
    assert!(outcome.err_text().starts_with("condredirect: qp "));
    assert_eq!(home.queue().messages(), [b"Delivered-To: a@b\nSubject: t\n\nbody\n"]);
    assert_eq!(home.queue().envelopes(), [b"Fs@x\0Tnew@x\0\0"]);
}

#[test]
fn each_answer_of_a_program_has_its_consequence() {
    let home = UserHome::new();
    let cases = [
        ("exit 1", 0, 0, 0, ""),
        ("exit 100", 0, 0, 0, ""),
        ("exit 99", 0, 0, 0, ""),
        ("exit 111", 111, 111, 111, "temporary child error"),
        ("kill -9 $$", 111, 111, 111, "child crashed"),
        ("exit 0", 99, 100, 100, ""),
    ];
    for (status, redirected, bounced, excepted, text) in cases {
        let program = with_status(&home, status);
        for (name, words, code) in [
            ("condredirect", &["a@b", &program][..], redirected),
            ("bouncesaying", &["Go away.", &program], bounced),
            ("except", &[&program], excepted),
        ] {
            let outcome = run(&home, name, words);
            assert_eq!(outcome.code, code, "{name} {status}");
            if !text.is_empty() {
                assert_eq!(outcome.err_text(), format!("{name}: fatal: {text}\n"));
            }
        }
    }
}

#[test]
fn a_program_that_is_not_there_says_no() {
    let home = UserHome::new();
    assert_eq!(said(&run(&home, "condredirect", &["a@b", "no-such-program"])), (0, String::new()));
    assert_eq!(said(&run(&home, "bouncesaying", &["Go.", "/no/such/program"])), (0, String::new()));
    assert_eq!(said(&run(&home, "except", &["no-such-program"])), (0, String::new()));
}

#[test]
fn bouncesaying_says_its_text_and_except_says_nothing() {
    let home = UserHome::new();
    assert_eq!(said(&run(&home, "bouncesaying", &["Go away."])), (100, "Go away.\n".into()));
    assert_eq!(said(&run(&home, "bouncesaying", &["Go.", "true", "x"])), (100, "Go.\n".into()));
    assert_eq!(said(&run(&home, "except", &["true"])), (100, String::new()));
}

#[test]
fn preline_puts_the_three_lines_first_and_leaves_out_what_it_is_told_to() {
    let home = UserHome::new();
    let (from, path, delivered) = ("From s@x date\n", "Return-Path: <s@x>\n", "Delivered-To: a@b\n");
    for (words, lines) in [
        (&["cat"][..], [from, path, delivered].concat()),
        (&["-f", "cat"], [path, delivered].concat()),
        (&["-rd", "cat"], from.to_owned()),
        (&["-frdF", "--", "cat"], from.to_owned()),
    ] {
        let outcome = run(&home, "preline", words);
        assert_eq!(
            (outcome.code, outcome.out_text()),
            (0, format!("{lines}Subject: t\n\nbody\n")),
            "{words:?}"
        );
    }
}

#[test]
fn preline_exits_as_its_program_does_even_if_that_reads_nothing() {
    let home = UserHome::new();
    assert_eq!(run(&home, "preline", &["sh", "-c", "exit 42"]).code, 42);
    let big = "x".repeat(300_000);
    let call = home.call("preline", big).args(["sh", "-c", "exit 99"]);
    assert_eq!(call.env("UFLINE", "a").env("RPLINE", "b").env("DTLINE", "c").run().code, 99);
    assert_eq!(
        said(&run(&home, "preline", &["sh", "-c", "kill -9 $$"])),
        (111, "preline: fatal: child crashed\n".into())
    );
    let missing = said(&run(&home, "preline", &["/no/such/program"]));
    assert_eq!(
        missing,
        (100, "preline: fatal: unable to run /no/such/program: file does not exist\n".into())
    );
}

#[test]
fn each_program_says_how_it_is_called() {
    let home = UserHome::new();
    for (name, words, usage) in [
        ("condredirect", &["a@b"][..], "condredirect newaddress program [ arg ... ]"),
        ("bouncesaying", &[], "bouncesaying error [ program [ arg ... ] ]"),
        ("except", &[], "except program [ arg ... ]"),
        ("preline", &[], "preline [ -frdFRD ] cmd [ arg ... ]"),
    ] {
        assert_eq!(said(&run(&home, name, words)), (100, format!("{name}: usage: {usage}\n")));
    }
    let outcome = run(&home, "preline", &["-x", "cat"]);
    assert_eq!(
        outcome.err_text(),
        "preline: illegal option -- x\npreline: usage: preline [ -frdFRD ] cmd [ arg ... ]\n"
    );
    let mut call = home.call("preline", "").arg("cat").env("UFLINE", "a").env("RPLINE", "b");
    call.command().env_remove("DTLINE");
    assert_eq!(call.run().code, 100);
}

#[test]
fn qsmhook_runs_an_agent_with_the_flags_of_a_mailer_line() {
    let home = UserHome::new();
    let agent =
        ["sh", "-c", "cat; echo; for word; do echo \"<$word>\"; done", "sh", "-r", "%g", "-d", "%u", "%h%%"];
    let run = |flags: &[&str]| {
        let call = home.call("qsmhook", "Subject: t\n\nbody\n").args(flags).args(agent);
        let variables = [
            ("SENDER", "s@x y"),
            ("LOCAL", "alias-joe"),
            ("HOST", "h.example"),
            ("UFLINE", "From s@x date\n"),
        ];
        let call = variables.into_iter().fold(call, |call, (name, value)| call.env(name, value));
        let outcome = call.env("RPLINE", "Return-Path: <s@x>\n").run();
        assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
        outcome.out_text()
    };
    let words = |user: &str| format!("Subject: t\n\nbody\n\n<-r>\n<s@x y>\n<-d>\n<{user}>\n<h.example%>\n");
    assert_eq!(run(&["-x", "alias-", "-lsDFMPmn"]), format!("Return-Path: <s@x>\n{}", words("joe")));
    assert_eq!(run(&["-lsDFM"]), format!("From s@x date\n{}", words("alias-joe")));
    assert_eq!(run(&["-xother"]), format!("From s@x date\n{}", words("alias-joe")));
}

#[test]
fn qsmhook_bounces_nothing_for_a_flag_that_it_does_not_know() {
    let home = UserHome::new();
    let outcome = run(&home, "qsmhook", &["-lZ", "cat"]);
    assert_eq!(outcome.code, 111);
    assert!(outcome.err_text().starts_with("qsmhook: illegal option -- Z\nqsmhook: usage: "), "{outcome:?}");
    // LOCAL and HOST are not set.
    assert_eq!(run(&home, "qsmhook", &["-l", "cat"]).code, 100);
}
