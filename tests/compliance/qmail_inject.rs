//! `qmail-inject` and `sendmail`.

use crate::fixtures::{Case, Fixtures, latin1, matches, with_sorted_recipients};
use harness::{Call, FakeQueue, MailHome, Outcome, put_program};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

const CONTROL: [(&str, &[u8]); 1] = [("me", b"mx.example.org\n")];

#[test]
fn every_measured_case_comes_out_as_on_the_reference() {
    let fixtures = Fixtures::load("inject");
    let cases = fixtures.cases();
    let failures: Vec<String> = cases.iter().filter_map(|case| difference(&fixtures, *case)).collect();
    assert!(cases.len() >= 114, "only {} cases", cases.len());
    assert!(failures.is_empty(), "{} cases differ:\n{}", failures.len(), failures.join("\n"));
}

fn difference(fixtures: &Fixtures, case: Case<'_>) -> Option<String> {
    let control = fixtures.control();
    let home = MailHome::new(control.iter().map(|(name, text)| (*name, text.as_slice())));
    let queue = home.fake_queue();
    let mut call = home.call("qmail-inject").env_clear().env("PATH", "/bin:/usr/bin");
    call = call.env("QMAILQUEUE", &queue.program).input(case.bytes("stdin"));
    for (name, value) in case.environment() {
        call = call.env(name, OsStr::from_bytes(&value));
    }
    for argument in case.list("args") {
        call = call.arg(OsStr::from_bytes(&argument));
    }
    let outcome = call.run();
    let sorted =
        |list: Vec<Vec<u8>>| list.iter().map(|envelope| with_sorted_recipients(envelope)).collect::<Vec<_>>();
    let same = outcome.code == case.expected_exit()
        && matches(&latin1(case.expected("out")), &outcome.out)
        && all_match(&case.expected_list("msg"), &queue.messages())
        && all_match(&sorted(case.expected_list("env")), &sorted(queue.envelopes()));
    (!same).then(|| {
        let shown = |list: Vec<Vec<u8>>| String::from_utf8_lossy(&list.concat()).into_owned();
        format!(
            "{}: {} {:?} {:?}\n  msg {:?}\n  env {:?}",
            case.name(),
            outcome.code,
            outcome.out_text(),
            outcome.err_text(),
            shown(queue.messages()),
            shown(queue.envelopes())
        )
    })
}

fn all_match(templates: &[Vec<u8>], actual: &[Vec<u8>]) -> bool {
    templates.len() == actual.len()
        && templates.iter().zip(actual).all(|(template, actual)| matches(template, actual))
}

/// What a call for a message with one recipient left: the outcome, and whether anything was queued.
fn inject_with(prepare: impl Fn(&MailHome, Call) -> Call) -> (Outcome, FakeQueue, MailHome) {
    let home = MailHome::new(CONTROL);
    let queue = home.fake_queue();
    let call = home.call("qmail-inject").env_clear().env("PATH", "/bin:/usr/bin").env("USER", "joe");
    let call = call.env("QMAILQUEUE", &queue.program).input("To: a@b\n\nbody\n");
    let outcome = prepare(&home, call).run();
    (outcome, queue, home)
}

/// Makes a program that stands in for qmail-queue and runs a line of shell.
fn queue_program(home: &MailHome, line: &str) -> std::path::PathBuf {
    let path = home.path().join("bin/scripted-queue");
    put_program(&path, format!("#!/bin/sh\n{line}\n"));
    path
}

#[test]
fn a_control_file_that_cannot_be_read_is_temporary_and_named() {
    for name in ["me", "defaulthost", "defaultdomain", "plusdomain", "idhost"] {
        let (outcome, queue, _home) = inject_with(|home, call| {
            let path = home.path().join("control").join(name);
            let _ = std::fs::remove_file(&path);
            std::fs::create_dir(&path).unwrap();
            // It comes before trouble with options.
            call.arg("-Q")
        });
        let expected = format!("qmail-inject: fatal: unable to read control/{name}: is a directory\n");
        assert_eq!((outcome.code, outcome.err_text()), (111, expected));
        assert!(queue.messages().is_empty());
    }
}

#[test]
fn the_answer_of_the_queue_decides_the_exit_status_and_the_text() {
    let cases = [
        ("exit 31", 100, "mail server permanently rejected message (#5.3.0)"),
        ("exit 71", 111, "mail server temporarily rejected message (#4.3.0)"),
        ("exit 91", 111, "qq internal bug (#4.3.0)"),
        ("printf 'Dnot you (#5.7.1)' >&6; exit 82", 100, "not you (#5.7.1)"),
        ("printf 'Znot now (#4.7.1)' >&6; exit 82", 111, "not now (#4.7.1)"),
        ("exit 82", 111, "qq temporary problem (#4.3.0)"),
        ("kill -9 $$", 111, "qq crashed (#4.3.0)"),
    ];
    for (line, code, text) in cases {
        let (outcome, _queue, _home) = inject_with(|home, call| {
            call.env(
                "QMAILQUEUE",
                queue_program(home, &format!("cat >/dev/null; cat <&1 >/dev/null; {line}")),
            )
        });
        assert_eq!(
            (outcome.code, outcome.err_text()),
            (code, format!("qmail-inject: fatal: {text}\n")),
            "{line}"
        );
    }
}

#[test]
fn a_queue_program_that_is_not_there_is_temporary() {
    let (outcome, _queue, _home) = inject_with(|_, call| call.env("QMAILQUEUE", "bin/missing"));
    let expected = "qmail-inject: fatal: unable to exec qq (#4.3.0)\n";
    assert_eq!((outcome.code, outcome.err_text().as_str()), (111, expected));
}

#[test]
fn a_queue_program_that_reads_nothing_does_not_kill_us() {
    let body = vec![b'x'; 1 << 20];
    let (outcome, _queue, _home) = inject_with(|home, call| {
        call.env("QMAILQUEUE", queue_program(home, "exit 53"))
            .input([b"To: a@b\n\n", body.as_slice()].concat())
    });
    let expected = "qmail-inject: fatal: qq write error or disk full (#4.3.0)\n";
    assert_eq!((outcome.code, outcome.err_text().as_str()), (111, expected));
}

#[test]
fn a_relative_queue_program_is_one_of_the_home() {
    let elsewhere = harness::scratch();
    let (outcome, queue, _home) =
        inject_with(|_, call| call.env("QMAILQUEUE", "bin/fake-queue").within(elsewhere.path()));
    assert_eq!((outcome.code, queue.messages().len()), (0, 1), "{}", outcome.err_text());
}

#[test]
fn trouble_in_the_header_comes_before_the_queue_program() {
    for input in ["From: a:b\n\n", "Reply-To: (\nTo: x\n\n", "Return-Path: \"a\n"] {
        let (outcome, queue, _home) = inject_with(|_, call| call.input(input));
        assert_eq!(outcome.code, 100);
        assert!(outcome.err_text().starts_with("qmail-inject: fatal: unable to parse this line:\n"));
        assert!(queue.messages().is_empty());
    }
    let (outcome, _queue, _home) = inject_with(|_, call| call.arg("a@(b"));
    let expected = "qmail-inject: fatal: unable to parse address: a@(b\n";
    assert_eq!((outcome.code, outcome.err_text().as_str()), (100, expected));
    let (outcome, _queue, _home) = inject_with(|_, call| call.arg("-fa@(b"));
    assert_eq!(outcome.code, 100);
}

#[test]
fn an_address_with_a_nul_is_refused_and_nothing_is_queued() {
    for input in ["To: a\0b@c\n\n", "Return-Path: <a\0b>\nTo: x\n\n"] {
        let (outcome, queue, _home) = inject_with(|_, call| call.input(input));
        assert_eq!(outcome.code, 100, "{}", outcome.err_text());
        assert!(queue.messages().is_empty());
    }
}

#[test]
fn a_header_without_end_is_refused_and_a_long_body_is_not() {
    let endless = [b"Subject: x\n".to_vec(), b" more\n".repeat(1 << 20)].concat();
    let (outcome, queue, _home) = inject_with(|_, call| call.input(&endless));
    assert_eq!(outcome.err_text(), "qmail-inject: fatal: header is longer than 4194304 bytes\n");
    assert_eq!((outcome.code, queue.messages().len()), (100, 0));
    let body = [b"To: x\n\n".to_vec(), vec![b'y'; 8 << 20]].concat();
    let (outcome, queue, _home) = inject_with(|_, call| call.input(&body));
    assert_eq!((outcome.code, queue.messages().len()), (0, 1));
    assert!(queue.messages()[0].ends_with(b"yyyy\n"));
}

#[test]
fn a_message_that_cannot_be_read_is_temporary_and_not_queued() {
    let home = MailHome::new(CONTROL);
    let queue = home.fake_queue();
    let mut command = std::process::Command::new(home.program("qmail-inject"));
    command.env("QMAILQUEUE", &queue.program).stdin(std::fs::File::open("/").unwrap());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(111));
    assert_eq!(output.stderr, b"qmail-inject: fatal: unable to read the message: is a directory\n");
    assert!(queue.messages().is_empty());
}

#[test]
fn a_closed_descriptor_is_neither_an_empty_message_nor_written_to() {
    let home = MailHome::new(CONTROL);
    let queue = home.fake_queue();
    let shell = |line: &str| {
        let program = home.program("qmail-inject");
        let call = Call::path("/bin/sh".as_ref()).arg("-c").arg(line).arg(program);
        call.env("QMAILQUEUE", &queue.program).run()
    };
    let outcome = shell("\"$0\" x <&-");
    let expected = "qmail-inject: fatal: unable to read the message: file descriptor not open\n";
    assert_eq!((outcome.code, outcome.err_text().as_str()), (111, expected));
    let outcome = shell("\"$0\" -n >&-");
    let expected = "qmail-inject: fatal: unable to write the message: file descriptor not open\n";
    assert_eq!((outcome.code, outcome.err_text().as_str()), (111, expected));
    assert!(queue.messages().is_empty());
}

#[test]
fn output_that_nobody_takes_is_temporary() {
    let home = MailHome::new(CONTROL);
    let mut command = std::process::Command::new(home.program("qmail-inject"));
    command.arg("-n").stdin(std::process::Stdio::null()).stdout(std::fs::File::create("/dev/full").unwrap());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(111));
    assert_eq!(output.stderr, b"qmail-inject: fatal: unable to write the message: out of disk space\n");
}

#[test]
fn the_list_file_is_found_from_where_the_caller_is() {
    let directory = harness::scratch();
    std::fs::write(directory.path().join("lists"), "# mine\nLIST@b.example \n").unwrap();
    let (outcome, queue, _home) = inject_with(|_, call| {
        let call = call.env("QMAILMFTFILE", "lists").within(directory.path());
        call.input("To: list@b.example, joe@c.example\n\n")
    });
    assert_eq!(outcome.code, 0, "{}", outcome.err_text());
    let message = String::from_utf8(queue.messages().remove(0)).unwrap();
    assert!(message.contains("\nMail-Followup-To: list@b.example,\n  joe@c.example\nTo:"), "{message}");
    let (outcome, _queue, _home) = inject_with(|_, call| call.env("QMAILMFTFILE", "/"));
    assert_eq!(
        (outcome.code, outcome.err_text().as_str()),
        (111, "qmail-inject: fatal: unable to read /: is a directory\n")
    );
    let (outcome, _queue, _home) = inject_with(|_, call| call.env("QMAILMFTFILE", "/nonexistent"));
    assert_eq!(outcome.code, 0);
}

#[test]
fn the_header_may_be_all_there_is() {
    let (_, queue, _home) =
        inject_with(|_, call| call.input("To: a@b.c\nFrom: d@e.f\nDate: x\nMessage-ID: y"));
    assert_eq!(queue.messages(), [b"To: a@b.c\nFrom: d@e.f\nDate: x\nMessage-ID: y\n"]);
}

/// What sendmail handed to the queue: message and envelope as text.
fn sendmail(arguments: &[&str], input: &str) -> (Outcome, String, String) {
    let home = MailHome::new(CONTROL);
    let queue = home.fake_queue();
    home.program("qmail-inject");
    let call = home.call("sendmail").env_clear().env("PATH", "/bin:/usr/bin").env("USER", "joe");
    let outcome = call.env("QMAILQUEUE", &queue.program).args(arguments).input(input).run();
    let text = |list: Vec<Vec<u8>>| String::from_utf8(list.concat()).unwrap();
    (outcome, text(queue.messages()), text(queue.envelopes()))
}

const COMPLETE: &str = "To: a@b.c\nFrom: d@e.f\nDate: x\nMessage-ID: y\n\n";

#[test]
fn sendmail_uses_the_headers_recipients_with_t_alone() {
    let input = format!("{COMPLETE}one\n.\ntwo\n");
    let (outcome, message, envelope) = sendmail(&["-oem", "-oi", "-t", "x@y.z"], &input);
    assert_eq!((outcome.code, envelope.as_str()), (0, "Fjoe@mx.example.org\0Tx@y.z\0Ta@b.c\0\0"));
    assert_eq!(message, input);
    let (outcome, _, envelope) = sendmail(&["-i"], &input);
    assert_eq!((outcome.code, envelope.as_str()), (0, "Fjoe@mx.example.org\0\0"));
}

#[test]
fn sendmail_puts_the_sender_into_from_and_loses_the_name() {
    let input = "To: a@b.c\nDate: x\nMessage-ID: y\n\n";
    let (_, message, envelope) = sendmail(&["-F", "Joe", "-f", "s@t.u", "--", "-x"], input);
    assert_eq!(message, format!("From: s@t.u\n{input}"));
    assert_eq!(envelope, "Fs@t.u\0T-x@mx.example.org\0\0");
    let (_, message, _) = sendmail(&["-FJoe", "x"], input);
    assert_eq!(message, format!("From: \"Joe\" <joe@mx.example.org>\n{input}"));
}

#[test]
fn sendmail_says_what_it_does_not_understand() {
    let usage = "sendmail: usage: sendmail [ -t ] [ -fsender ] [ -Fname ] [ -bp ] [ -bs ] [ arg ... ]\n";
    let (outcome, _, _) = sendmail(&["-q"], "");
    assert_eq!((outcome.code, outcome.err_text()), (100, format!("sendmail: illegal option -- q\n{usage}")));
    let (outcome, _, _) = sendmail(&["-bd"], "");
    assert_eq!((outcome.code, outcome.err_text().as_str()), (100, usage));
}

#[test]
fn sendmail_names_the_program_that_cannot_be_run() {
    for (arguments, program) in [(&["-bp"][..], "qmail-qread"), (&["-bs"], "qmail-smtpd")] {
        let (outcome, _, _) = sendmail(arguments, "");
        let expected = format!("sendmail: fatal: unable to run {program}: file does not exist\n");
        assert_eq!((outcome.code, outcome.err_text()), (111, expected));
    }
}

#[test]
fn sendmail_by_another_name_is_another_program() {
    use std::os::unix::process::CommandExt;
    let home = MailHome::new(CONTROL);
    let as_name =
        |name: &str| std::process::Command::new(home.program("sendmail")).arg0(name).output().unwrap();
    let newaliases = as_name("/usr/bin/newaliases");
    assert_eq!(newaliases.status.code(), Some(100));
    assert_eq!(newaliases.stderr, b"sendmail: fatal: please use fastforward/newaliases instead\n");
    let mailq = as_name("mailq");
    assert_eq!(mailq.stderr, b"sendmail: fatal: unable to run qmail-qread: file does not exist\n");
}

#[test]
fn smtp_through_sendmail_may_relay() {
    let home = MailHome::new(CONTROL);
    let smtpd = home.path().join("bin/qmail-smtpd");
    put_program(&smtpd, "#!/bin/sh\necho \"$RELAYCLIENT|$DATABYTES|$TCPREMOTEIP|$TCPREMOTEINFO\"\n");
    let outcome = home.call("sendmail").env_clear().env("PATH", "/bin:/usr/bin").arg("-bs").run();
    assert_eq!((outcome.code, outcome.out_text().as_str()), (0, "|0|127.0.0.1|sendmail-bs\n"));
}
