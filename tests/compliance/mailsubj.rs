//! `mailsubj`, `predate` and `datemail`.

use harness::{Call, MailHome, put_program};
use std::fs::File;
use std::process::Command;

#[test]
fn the_date_is_local_and_has_its_offset() {
    let zones = [
        ("UTC0", "+0000"),
        ("EST5", "-0500"),
        ("IST-5:30", "+0530"),
        ("XXX3:30", "-0330"),
        ("YYY-14", "+1400"),
    ];
    for (zone, offset) in zones {
        let call = Call::ours("predate").args(["sh", "-c", "cat; date '+%-d %b %Y'"]).env("LC_ALL", "C");
        let outcome = call.env("TZ", zone).input("To: x\n\nbody").run();
        assert_eq!(outcome.code, 0, "{outcome:?}");
        let text = outcome.out_text();
        let (date, rest) = text.split_once('\n').unwrap();
        let (rest, today) = rest.split_once("body").unwrap();
        assert_eq!(rest, "To: x\n\n");
        assert!(date.starts_with("Date: ") && date.ends_with(&format!(" {offset}")), "{date}");
        // Unless midnight came between the two.
        let words: Vec<&str> = date.split(' ').collect();
        assert_eq!(words.len(), 6, "{date}");
        assert_eq!(words[4].len(), "00:00:00".len());
        assert!(today.trim() == words[1..4].join(" ") || words[4].starts_with("23:59"), "{date} {today}");
    }
}

#[test]
fn predate_ends_as_its_program_does() {
    let run = |words: &[&str]| {
        let outcome = Call::ours("predate").args(words).input("x").run();
        (outcome.code, outcome.err_text())
    };
    assert_eq!(run(&["sh", "-c", "exit 42"]), (42, String::new()));
    assert_eq!(run(&["sh", "-c", "kill -9 $$"]), (111, "predate: fatal: child crashed\n".into()));
    let missing = "predate: fatal: unable to run /no/such: file does not exist\n";
    assert_eq!(run(&["/no/such"]), (111, missing.into()));
    assert_eq!(run(&[]), (100, "predate: usage: predate child\n".into()));
}

#[test]
fn a_message_that_breaks_off_is_not_sent() {
    let home = MailHome::new([("me", &b"mx.example.org\n"[..])]);
    let queue = home.fake_queue();
    for (program, words) in [("datemail", &["-t"][..]), ("mailsubj", &["s", "a@b"])] {
        for name in ["sendmail", "qmail-inject"] {
            home.program(name);
        }
        let mut command = Command::new(home.program(program));
        // A directory can be opened, and not be read.
        command.args(words).env("QMAILQUEUE", &queue.program).stdin(File::open("/").unwrap());
        let output = command.output().unwrap();
        let text = format!("{program}: fatal: unable to read the message: is a directory\n");
        assert_eq!(output.status.code(), Some(111));
        assert_eq!(String::from_utf8(output.stderr).unwrap(), text);
        let shell =
            Call::path("/bin/sh".as_ref()).args(["-c", "\"$0\" \"$@\" <&-"]).arg(home.program(program));
        let outcome = shell.args(words).env("QMAILQUEUE", &queue.program).run();
        assert_eq!(outcome.code, 111, "{outcome:?}");
    }
    assert!(queue.envelopes().concat().is_empty());
}

#[test]
fn datemail_is_sendmail_with_a_date() {
    let home = MailHome::new([("me", &b"mx.example.org\n"[..])]);
    let queue = home.fake_queue();
    for name in ["sendmail", "qmail-inject"] {
        home.program(name);
    }
    let call = home.call("datemail").args(["-oem", "-t", "-f", "s@t.u", "x@y.z"]).env("TZ", "EST5");
    let outcome = call.env("QMAILQUEUE", &queue.program).input("To: a@b.c\nMessage-ID: i\n\nbody\n").run();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    let message = String::from_utf8(queue.messages().concat()).unwrap();
    assert!(
        message.starts_with("From: s@t.u\nDate: ") && message.contains(" -0500\nTo: a@b.c\n"),
        "{message}"
    );
    assert_eq!(queue.envelopes(), [b"Fs@t.u\0Tx@y.z\0Ta@b.c\0\0"]);
}

#[test]
fn mailsubj_sends_standard_input_under_a_subject() {
    let home = MailHome::new([("me", &b"mx.example.org\n"[..])]);
    let queue = home.fake_queue();
    home.program("qmail-inject");
    let words = ["$(date) `id` \\n 'x'\nBcc: z@z.z", "a", "b@c.d"];
    let call = home.call("mailsubj").args(words).env("USER", "joe").env("QMAILQUEUE", &queue.program);
    let outcome = call.env("QMAILINJECT", "").input("one\n.\ntwo").run();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    let message = String::from_utf8(queue.messages().concat()).unwrap();
    let expected = "\nSubject: $(date) `id` \\n 'x' Bcc: z@z.z\nTo: a@mx.example.org, b@c.d\n\none\n.\ntwo\n";
    assert!(message.ends_with(expected), "{message}");
    assert_eq!(queue.envelopes(), [b"Fjoe@mx.example.org\0Tb@c.d\0Ta@mx.example.org\0\0"]);
}

#[test]
fn mailsubj_says_how_it_is_called_and_ends_as_qmail_inject_does() {
    let home = MailHome::new([]);
    for words in [&[][..], &["subject"]] {
        let outcome = home.call("mailsubj").args(words).run();
        let usage = "mailsubj: usage: mailsubj subject recipient ...\n";
        assert_eq!((outcome.code, outcome.err_text().as_str()), (100, usage));
    }
    put_program(&home.path().join("bin/qmail-inject"), "#!/bin/sh\nexit 31\n");
    assert_eq!(home.call("mailsubj").args(["s", "r"]).run().code, 31);
}
