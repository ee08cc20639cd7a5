//! `rblsmtpd`.

use harness::{Answer, Call, DnsServer, Outcome, Record, Running, assert, assert_eq, both};
use std::path::Path;
use std::process::{Command, Stdio};

/// Differs on purpose: the reference program's names an option that it does not have, and not all that it has.
fn usage(program: &Path) -> &'static str {
    if program == harness::program("rblsmtpd") {
        "rblsmtpd: usage: rblsmtpd [ -bBcCl ] [ -t timeout ] [ -r base ] [ -a base ] smtpd [ arg ... ]\n"
    } else {
        "rblsmtpd: usage: rblsmtpd [ -b ] [ -R ] [ -t timeout ] [ -r base ] [ -a base ] smtpd [ arg ... ]\n"
    }
}

/// A call with `$RBLSMTPD`, whose SMTP server says "served".
fn told(program: &Path, text: &str, options: &[&str], input: &str) -> Outcome {
    let call = Call::path(program).args(options).args(["echo", "served"]).input(input);
    call.env("RBLSMTPD", text).env("TCPREMOTEIP", "192.0.2.1").run()
}

/// The line of log, without the process number.
fn logged(outcome: &Outcome) -> String {
    let line = outcome.err_text();
    let (start, rest) = line.split_once(" pid ").expect("a line of log");
    let (pid, text) = rest.split_once(": ").expect("a process number");
    assert!(pid.parse::<u32>().is_ok(), "{line}");
    format!("{start}: {text}")
}

#[test]
fn a_wrong_call_gets_the_usage_line() {
    both("rblsmtpd", |program| {
        for words in [&[][..], &["-rlist"]] {
            let outcome = Call::path(program).args(words).env("RBLSMTPD", "").run();
            assert_eq!((outcome.code, outcome.err_text().as_str()), (100, usage(program)));
        }
        for letter in ["R", "y"] {
            let outcome = Call::path(program).args([&format!("-{letter}"), "true"]).run();
            let expected = format!("rblsmtpd: illegal option -- {letter}\n{}", usage(program));
            assert_eq!((outcome.code, outcome.err_text()), (100, expected));
        }
    });
}

#[test]
fn the_server_is_run_for_a_client_that_nothing_is_said_about() {
    both("rblsmtpd", |program| {
        let outcome = Call::path(program).args(["sh", "-c", "echo served; exit 7"]).run();
        assert_eq!((outcome.code, outcome.out_text().as_str()), (7, "served\n"));
        assert_eq!(told(program, "", &[], "").out_text(), "served\n");
        assert_eq!(told(program, "", &["-rlist.invalid"], "").out_text(), "served\n");
        let outcome = Call::path(program).arg("no-such-program").run();
        let expected = "rblsmtpd: fatal: unable to run no-such-program: file does not exist\n";
        assert_eq!((outcome.code, outcome.err_text().as_str()), (111, expected));
    });
}

#[test]
fn nothing_is_accepted_in_the_conversation() {
    let commands = "HELO x\r\nehlo\nMAIL FROM:<a>\r\nrcpt to:<b>\r\ndata\r\nhelp\r\n\r\n quit\nnoop\0\r\nNOOP a\r\n\
        rset\r\nquit\r\r\nquit x\r\nnoop\r\n";
    let ok = "250 rblsmtpd.local\r\n";
    let no = "451 go ?away\r\n";
    let expected =
        ["220 rblsmtpd.local\r\n", ok, ok, ok, no, no, no, no, no, no, ok, ok, no, "221 rblsmtpd.local\r\n"]
            .concat();
    both("rblsmtpd", |program| {
        let outcome = told(program, "go \x07away", &["-B"], commands);
        assert_eq!((outcome.code, outcome.out_text().as_str()), (0, expected.as_str()));
        assert_eq!(logged(&outcome), "rblsmtpd: 192.0.2.1: 451 go ?away\n");
    });
}

#[test]
fn the_end_of_input_ends_the_conversation() {
    both("rblsmtpd", |program| {
        let outcome = told(program, "x", &[], "rcpt\r\nquit");
        assert_eq!((outcome.code, outcome.out_text().as_str()), (0, "220 rblsmtpd.local\r\n451 x\r\n"));
    });
}

#[test]
fn the_client_is_told_for_no_longer_than_it_is_given() {
    both("rblsmtpd", |program| {
        let outcome = told(program, "x", &["-t0"], "helo\r\n");
        assert_eq!((outcome.code, outcome.out_text().as_str()), (0, "451 x\r\n"));
        let mut command = Command::new(program);
        command.args(["-t1", "true"]).env("RBLSMTPD", "x").env("TCPREMOTEIP", "192.0.2.1");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // The client says nothing and stays.
        let mut silent = Running::start(&mut command);
        let input = silent.child().stdin.take();
        assert_eq!(silent.wait(), 0);
        drop(input);
    });
}

#[test]
fn a_dash_makes_it_final_and_texts_are_cut() {
    both("rblsmtpd", |program| {
        let outcome = told(program, "-never", &["-t0"], "");
        assert_eq!(outcome.out_text(), "553 never\r\n");
        assert_eq!(logged(&outcome), "rblsmtpd: 192.0.2.1: 553 never\n");
        let outcome = told(program, &"y".repeat(300), &["-bt0"], "");
        assert_eq!(outcome.out_text(), format!("451 {}\r\n", "y".repeat(200)));
    });
}

/// What ours says to a client whose lists are served by a name server of the test.
fn asked(client: &str, options: &[&str]) -> String {
    let text = |text: &str| Answer::Records(vec![Record::Text(text.into())]);
    let address = || Record::Address([127, 0, 0, 2].into());
    let names = DnsServer::start([
        (
            "1.2.0.192.block.example",
            Answer::Records(vec![Record::Text("one\x07".into()), Record::Text("two".into())]),
        ),
        ("1.2.0.192.address.example", Answer::Records(vec![address()])),
        ("1.2.0.192.allow.example", Answer::Records(vec![address()])),
        ("1.2.0.192.broken.example", Answer::ServerFailure),
        ("5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.block.example", text("six")),
    ]);
    let outcome = Call::ours("rblsmtpd")
        .args(options)
        .args(["-t0", "echo", "served"])
        .env("DNSCACHEIP", names.address())
        .env("TCPREMOTEIP", client)
        .run();
    assert_eq!(outcome.code, 0);
    outcome.out_text().trim_end().to_owned()
}

/// The reference program asks port 53 only, so this is about ours.
#[test]
fn lists_are_asked_in_their_order() {
    let client = "192.0.2.1";
    assert_eq!(asked(client, &["-rblock.example"]), "451 one?two");
    assert_eq!(asked(client, &["-b", "-rblock.example"]), "553 one?two");
    assert_eq!(asked(client, &["-rblock.example", "-b"]), "451 one?two");
    assert_eq!(asked(client, &["-aallow.example", "-rblock.example"]), "served");
    assert_eq!(asked(client, &["-rblock.example", "-aallow.example"]), "451 one?two");
    assert_eq!(asked(client, &["-raddress.example", "-anobody.example"]), "served");
    assert_eq!(asked("192.0.2.2", &["-rblock.example"]), "served");
    assert_eq!(asked("2001:db8::5", &["-rblock.example"]), "451 six");
}

/// The reference program asks port 53 only, so this is about ours.
#[test]
fn a_list_that_fails_never_makes_mail_bounce() {
    let client = "192.0.2.1";
    assert_eq!(asked(client, &["-rbroken.example"]), "served");
    assert_eq!(asked(client, &["-c", "-rbroken.example"]), "451 temporary RBL lookup error");
    assert_eq!(asked(client, &["-abroken.example", "-rblock.example"]), "served");
    assert_eq!(asked(client, &["-cb", "-abroken.example", "-rblock.example"]), "451 one?two");
    assert_eq!(asked(client, &["-b", "-rbroken.example", "-rblock.example"]), "451 one?two");
}

/// L8: an address that is none, from whoever set the variable, stays within its line.
#[test]
fn l8_the_log_has_one_line() {
    let outcome = Call::ours("rblsmtpd")
        .args(["-t0", "true"])
        .env("RBLSMTPD", "a\nb")
        .env("TCPREMOTEIP", "1.2.3.4\nrblsmtpd: x")
        .run();
    assert_eq!(logged(&outcome), "rblsmtpd: 1.2.3.4?rblsmtpd: x: 451 a?b\n");
}
