//! `qmail-smtpd`.

use crate::fixtures::{Fixtures, fits, run_server};
use harness::{Call, FakeQueue, MailHome, Running, put_program, wait_until};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// Cases that differ from the reference on purpose, and what ours answers instead.
const DIFFERENT: [(&str, &str); 2] = [
    // A carriage return in the middle of a line is refused, like a bare line feed.
    ("bare cr", "354 go ahead\r\n451 CR may stand before LF only"),
    // A control byte in a command line is refused.
    ("weird helo", "501 control characters not allowed (#5.5.2)\r\n"),
];

#[test]
fn every_measured_case_is_answered_as_measured() {
    let fixtures = Fixtures::load("smtpd");
    let mut wrong = Vec::new();
    for case in fixtures.cases() {
        let (outcome, queue, _home) = run_server("qmail-smtpd", &fixtures, case);
        let fits = fits(case, &outcome, &queue);
        match DIFFERENT.iter().find(|(name, _)| *name == case.name()) {
            Some((_, instead)) => {
                assert!(!fits && outcome.out_text().contains(instead), "{}: {outcome:?}", case.name());
            }
            None if fits => {}
            None => wrong.push(format!("{}: {} {}", case.name(), outcome.code, outcome.out_text())),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const CONTROL: [(&str, &[u8]); 2] = [("me", b"mail.example\n"), ("rcpthosts", b"here.example\n")];

/// A home where mail for here.example is taken, and its queue.
fn home() -> (MailHome, FakeQueue) {
    let home = MailHome::new(CONTROL);
    let queue = home.fake_queue();
    (home, queue)
}

fn smtpd(home: &MailHome, queue: &FakeQueue) -> Call {
    home.call("qmail-smtpd").env("QMAILQUEUE", &queue.program)
}

/// The server with a client that takes turns with it.
struct Dialogue {
    running: Running,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Dialogue {
    fn start(home: &MailHome, queue: &FakeQueue) -> Dialogue {
        let mut command = Command::new(home.program("qmail-smtpd"));
        command.env("QMAILQUEUE", &queue.program).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = Running::start(&mut command);
        let input = running.child().stdin.take();
        let output = BufReader::new(running.child().stdout.take().expect("a piped standard output"));
        Dialogue { running, input, output }
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let input = self.input.as_mut().expect("an open connection");
        input.write_all(bytes.as_ref()).expect("a server that reads");
    }

    /// The next line of a reply, without its end.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a server that replies");
        line.trim_end_matches("\r\n").to_owned()
    }

    fn say(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n"));
        self.line()
    }

    /// The rest of the output and the exit status.
    fn end(mut self) -> (String, i32) {
        self.input = None;
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).expect("a server that ends");
        (rest, self.running.wait())
    }
}

const MESSAGE: &str = "MAIL FROM:<s@x.example>\r\nRCPT TO:<a@here.example>\r\nDATA\r\nS: x\r\n\r\nb\r\n.\r\n";

#[test]
fn extended_hello_announces_what_the_server_can_do() {
    let (home, queue) = home();
    home.control("databytes", "4000");
    let outcome = smtpd(&home, &queue).input("EHLO c\r\nMAIL FROM:<s@x> SIZE=4001\r\nQUIT\r\n").run();
    let wanted = "220 mail.example ESMTP\r\n250-mail.example\r\n250-PIPELINING\r\n250-SIZE 4000\r\n250 8BITMIME\r\n\
                  552 sorry, that message size exceeds my databytes limit (#5.3.4)\r\n221 mail.example\r\n";
    assert_eq!((outcome.out_text().as_str(), outcome.code), (wanted, 0));
}

#[test]
fn pipelined_commands_are_answered_in_order_and_the_connection_stays_usable() {
    let (home, queue) = home();
    let mut dialogue = Dialogue::start(&home, &queue);
    dialogue.line();
    dialogue.send("MAIL FROM:<s@x>\r\nRCPT TO:<a@there.example>\r\nRCPT TO:<a@here.example>\r\nDATA\r\n");
    let codes: Vec<String> = (0..4).map(|_| dialogue.line()[..3].to_owned()).collect();
    assert_eq!(codes, ["250", "553", "250", "354"]);
    dialogue.send(format!("one\r\n.\r\n{MESSAGE}"));
    assert!(dialogue.line().starts_with("250 ok "));
    assert_eq!([dialogue.line(), dialogue.line(), dialogue.line()], ["250 ok", "250 ok", "354 go ahead"]);
    assert!(dialogue.line().starts_with("250 ok "));
    assert_eq!(dialogue.say("RCPT TO:<a@here.example>"), "503 MAIL first (#5.5.1)");
    assert_eq!(queue.envelopes().len(), 2);
    assert_eq!(dialogue.end(), (String::new(), 1));
}

/// S3: no boundary of packets changes what a session means.
#[test]
fn s3_a_client_that_sends_byte_by_byte_is_served_like_any_other() {
    let (home, queue) = home();
    let mut dialogue = Dialogue::start(&home, &queue);
    for byte in [MESSAGE.as_bytes(), b"QUIT\r\n"].concat() {
        dialogue.send([byte]);
        std::thread::sleep(Duration::from_millis(1));
    }
    let (out, code) = dialogue.end();
    assert_eq!((out.lines().count(), code), (6, 0), "{out}");
    assert!(queue.messages()[0].ends_with(b"\nS: x\n\nb\n"));
}

#[test]
fn a_control_file_that_cannot_be_read_ends_the_session_before_anything_is_accepted() {
    for name in
        ["me", "rcpthosts", "morercpthosts.cdb", "badmailfrom", "databytes", "timeoutsmtpd", "localiphost"]
    {
        let (home, queue) = home();
        let _ = fs::remove_file(home.path().join("control").join(name));
        fs::create_dir(home.path().join("control").join(name)).expect("a directory in the way");
        // A damaged database is found out when it is needed.
        let outcome = smtpd(&home, &queue).input(MESSAGE.replace("here", "there")).run();
        assert_eq!(outcome.code, 1, "{name}");
        assert!(outcome.out_text().ends_with("421 unable to read controls (#4.3.0)\r\n"), "{name}");
        assert!(outcome.err_text().contains(&format!("control/{name}")), "{name}: {}", outcome.err_text());
        assert!(queue.envelopes().is_empty(), "{name}");
    }
}

#[test]
fn without_a_name_there_is_no_greeting() {
    let home = MailHome::new([]);
    let outcome = home.call("qmail-smtpd").run();
    assert_eq!((outcome.out_text().as_str(), outcome.code), ("421 unable to read controls (#4.3.0)\r\n", 1));
}

/// P1: whoever reads the replies knows whether the message is queued, whatever the queue program does; and of the
/// envelope nothing is left.
#[test]
fn a_queue_that_fails_is_a_refusal_of_its_class_and_the_session_goes_on() {
    for (status, code) in [("31", "554 "), ("53", "451 "), ("115", "554 "), ("120", "451 ")] {
        let (home, queue) = home();
        let input = format!("{MESSAGE}DATA\r\nRCPT TO:<b@here.example>\r\nQUIT\r\n");
        let outcome = smtpd(&home, &queue).env("FAKEQUEUE_EXIT", status).input(input).run();
        let out = outcome.out_text();
        let replies: Vec<&str> = out.lines().collect();
        assert!(replies[4].starts_with(code), "{status}: {replies:?}");
        let rest = ["503 MAIL first (#5.5.1)", "503 MAIL first (#5.5.1)", "221 mail.example"];
        assert_eq!((&replies[5..], outcome.code), (&rest[..], 0));
    }
}

#[test]
fn a_queue_program_that_is_not_there_or_dies_is_a_temporary_failure() {
    let (home, queue) = home();
    let outcome = smtpd(&home, &queue).env("QMAILQUEUE", "/nonexistent").input(MESSAGE).run();
    assert!(outcome.out_text().contains("451 unable to exec qq (#4.3.0)\r\n"), "{}", outcome.out_text());
    script(&home, "kill -9 $$");
    let outcome = smtpd(&home, &queue).env("QMAILQUEUE", "bin/script").input(MESSAGE).run();
    assert!(outcome.out_text().contains("451 qq crashed (#4.3.0)\r\n"), "{}", outcome.out_text());
}

/// Some servers and clients start programs with SIGCHLD ignored, and then no child's end is reported.
#[test]
fn an_ignored_sigchld_does_not_turn_a_queued_message_into_a_failure() {
    let (home, queue) = home();
    let outcome = Call::path(std::path::Path::new("/bin/sh"))
        .args(["-c", "trap '' CHLD; exec \"$0\""])
        .arg(home.program("qmail-smtpd"))
        .env("QMAILQUEUE", &queue.program)
        .input(MESSAGE)
        .run();
    assert!(outcome.out_text().contains("354 go ahead\r\n250 ok "), "{}", outcome.out_text());
}

#[test]
fn an_address_of_this_machine_in_brackets_is_our_host() {
    let (home, queue) = home();
    home.control("localiphost", "here.example\n");
    let recipients = "RCPT TO:<a@[127.0.0.1]>\r\nRCPT TO:<b@[0.0.0.0]>\r\nRCPT TO:<c@[192.0.2.99]>\r\n";
    let outcome = smtpd(&home, &queue)
        .input(format!("MAIL FROM:<s@x>\r\n{recipients}DATA\r\nx\r\n.\r\nQUIT\r\n"))
        .run();
    assert_eq!(outcome.out_text().matches("553 ").count(), 1, "{}", outcome.out_text());
    assert_eq!(queue.envelopes(), [b"Fs@x\0Ta@here.example\0Tb@here.example\0\0"]);
}

/// Puts a shell script at bin/script in the home.
fn script(home: &MailHome, body: &str) {
    let path = home.path().join("bin/script");
    put_program(&path, format!("#!/bin/sh\n{body}\n"));
}

/// M6: what the queue program says is one line of reply, however it is meant.
#[test]
fn m6_a_text_of_the_queue_program_cannot_be_two_replies() {
    let (home, queue) = home();
    script(
        &home,
        "cat >/dev/null; cat <&1 >/dev/null; printf 'Dno\\r\\n250 ok\\033 (#5.7.1)\\r\\n' >&6; exit 82",
    );
    let outcome = smtpd(&home, &queue).env("QMAILQUEUE", "bin/script").input(MESSAGE).run();
    assert!(
        outcome.out_text().ends_with("354 go ahead\r\n554 no??250 ok? (#5.7.1)\r\n"),
        "{}",
        outcome.out_text()
    );
}

/// S2, S3: neither kind of bare line end is queued, and what follows is not taken for commands.
#[test]
fn s2_bare_line_ends_are_never_queued() {
    for sequence in
        ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\n", "\r\n.\r\r", "\r\r\n", "\0\n", "a\rb\r\n", "."]
    {
        let sequence = if sequence == "." { "x".repeat(40_000) + "\n" } else { sequence.to_owned() };
        let (home, queue) = home();
        let start = "MAIL FROM:<s@x.example>\r\nRCPT TO:<a@here.example>\r\nDATA\r\nb";
        let outcome =
            smtpd(&home, &queue).input(format!("{start}{sequence}x\r\n.\r\n{MESSAGE}QUIT\r\n")).run();
        let out = outcome.out_text();
        assert_eq!((out.lines().count(), outcome.code), (5, 1), "{sequence:?}: {out}");
        assert!(out.contains("354 go ahead\r\n451 "), "{out}");
        wait_until("the queue program sees the end", || queue.envelopes().len() == 1);
        assert_eq!(queue.envelopes(), [b""], "{sequence:?}");
    }
}

#[test]
fn s2_a_control_file_allows_bare_carriage_returns() {
    let (home, queue) = home();
    home.control("smtpdbarecr", "1\n");
    let outcome = smtpd(&home, &queue).input(MESSAGE.replace("b\r\n", "a\rb\r\r\n")).run();
    assert!(outcome.out_text().contains("354 go ahead\r\n250 ok "));
    assert!(queue.messages()[0].ends_with(b"\n\na\rb\r\n"));
}

/// S4: the session goes on behind such a line as if it had not been there.
#[test]
fn s4_long_lines_and_control_bytes_are_answered_and_forgotten() {
    let (home, queue) = home();
    let mut dialogue = Dialogue::start(&home, &queue);
    dialogue.line();
    assert_eq!(dialogue.say("MAIL FROM:<s@x>"), "250 ok");
    assert_eq!(dialogue.say("RCPT TO:<a@here.example>"), "250 ok");
    assert_eq!(dialogue.say(&format!("RSET{}", "x".repeat(2045))), "500 command line too long (#5.5.2)");
    assert_eq!(dialogue.say(&"y".repeat(100_000)), "500 command line too long (#5.5.2)");
    assert_eq!(dialogue.say(&format!("NOOP {}", "x".repeat(2043))), "250 ok");
    for byte in ["\0", "\x01", "\x1b", "\x7f", "\r"] {
        assert_eq!(dialogue.say(&format!("RSET {byte}x")), "501 control characters not allowed (#5.5.2)");
    }
    assert_eq!(dialogue.say("DATA"), "354 go ahead");
    dialogue.send("x\r\n.\r\n");
    assert!(dialogue.line().starts_with("250 ok "));
    assert_eq!(queue.envelopes(), [b"Fs@x\0Ta@here.example\0\0"]);
}

/// M2: a thousand recipients by default, each further one is put off; the file changes the number.
#[test]
fn m2_a_message_has_at_most_a_thousand_recipients() {
    let transaction = |recipients: usize| {
        let lines: String = (0..recipients).map(|n| format!("RCPT TO:<u{n}@here.example>\r\n")).collect();
        format!("MAIL FROM:<s@x>\r\n{lines}DATA\r\nx\r\n.\r\nQUIT\r\n")
    };
    for (file, offered, accepted) in [(None, 1001, 1000), (Some("2"), 4, 2), (Some("0"), 1001, 1001)] {
        let (home, queue) = home();
        if let Some(number) = file {
            home.control("maxrecipients", number);
        }
        let out = smtpd(&home, &queue).input(transaction(offered)).run().out_text();
        let refused = out.matches("452 too many recipients, send the others later (#4.5.3)\r\n").count();
        assert_eq!(refused, offered - accepted);
        let envelope = &queue.envelopes()[0];
        assert_eq!(envelope.iter().filter(|byte| **byte == b'@').count(), accepted + 1);
    }
}

/// P3: the session of somebody who tries addresses ends, and nothing of it is queued.
#[test]
fn p3_after_twenty_refused_recipients_the_session_ends() {
    let (home, queue) = home();
    let input = format!("MAIL FROM:<s@x>\r\n{}{MESSAGE}", "RCPT TO:<a@there.example>\r\n".repeat(21));
    let outcome = smtpd(&home, &queue).input(input).run();
    let out = outcome.out_text();
    assert_eq!((out.matches("553 ").count(), outcome.code), (20, 1));
    assert!(out.ends_with("421 too many recipients refused (#4.7.0)\r\n"), "{out}");
    assert!(queue.envelopes().is_empty());
}

/// P4: silence, and a byte now and then, end with the documented reply, in commands and in messages.
#[test]
fn p4_a_client_that_is_too_slow_is_told_so() {
    for start in ["", "NOO", "MAIL FROM:<s@x>\r\nRCPT TO:<a@here.example>\r\nDATA\r\nx"] {
        for trickles in [false, true] {
            let (home, queue) = home();
            home.control("timeoutsmtpd", "1\n");
            let mut dialogue = Dialogue::start(&home, &queue);
            dialogue.send(start);
            let mut input = dialogue.input.take().expect("an open connection");
            // The connection stays open until the server has ended it.
            let client = std::thread::spawn(move || {
                while trickles && input.write_all(b"x").is_ok() {
                    std::thread::sleep(Duration::from_millis(50));
                }
                input
            });
            let (out, code) = dialogue.end();
            assert!(out.ends_with("451 timeout (#4.4.2)\r\n"), "{start} {out}");
            assert_eq!(code, 1);
            drop(client.join().expect("the client"));
        }
    }
}

/// P4: a client that never reads does not hold the server for ever.
#[test]
fn p4_a_client_that_does_not_read_is_given_up() {
    let (home, queue) = home();
    home.control("timeoutsmtpd", "1\n");
    let (mut ours, theirs) = UnixStream::pair().expect("a connection");
    let mut command = Command::new(home.program("qmail-smtpd"));
    let output = theirs.try_clone().expect("a descriptor");
    command.env("QMAILQUEUE", &queue.program);
    command.stdin(std::os::fd::OwnedFd::from(theirs)).stdout(std::os::fd::OwnedFd::from(output));
    let mut running = Running::start(&mut command);
    drop(command);
    ours.set_write_timeout(Some(Duration::from_secs(20))).expect("a time-out");
    while ours.write_all(&b"HELP\r\n".repeat(1000)).is_ok() {}
    assert_eq!(running.wait(), 1);
}

/// M3: what counts is the message as it is queued, to the byte; and no limit and no announced size wraps.
#[test]
fn m3_the_size_of_a_message_is_counted_once_and_to_the_byte() {
    let body = "..dot\r\n\r\n.\rx\r\r\n..\r\n";
    let decoded = ".dot\n\n.\rx\r\n.\n".len();
    for (limit, code) in [
        ("0".to_owned(), "250"),
        (decoded.to_string(), "250"),
        ((decoded - 1).to_string(), "552"),
        ("1".to_owned(), "552"),
        (u64::MAX.to_string(), "250"),
        ("99999999999999999999999999".to_owned(), "250"),
    ] {
        let (home, queue) = home();
        home.control("databytes", &limit);
        home.control("smtpdbarecr", "1");
        let start = "MAIL FROM:<s@x>\r\nRCPT TO:<a@here.example>\r\nDATA\r\n";
        let out = smtpd(&home, &queue).input(format!("{start}{body}.\r\nQUIT\r\n")).run().out_text();
        let reply = out.lines().nth(4).expect("a reply to the message");
        assert!(reply.starts_with(code), "{limit}: {reply}");
        assert_eq!(queue.envelopes()[0].is_empty(), code == "552", "{limit}");
    }
    for (size, code) in [("1000", "250"), ("1001", "552"), ("18446744073709551617", "552"), ("-1", "250")] {
        let (home, queue) = home();
        home.control("databytes", "1000");
        let out = smtpd(&home, &queue).input(format!("MAIL FROM:<s@x> SIZE={size}\r\n")).run().out_text();
        assert!(out.lines().nth(1).expect("a reply").starts_with(code), "{size}: {out}");
    }
}

/// B1
#[test]
fn b1_a_hundred_hops_are_refused_for_good() {
    for (hops, code) in [(99, "250"), (100, "554")] {
        let (home, queue) = home();
        let header = "rEceived: by x\r\n\tfolded\r\nDELIVERED-to: y\r\n".repeat(hops / 2) + "Received:\r\n";
        let header = if hops % 2 == 0 { header.trim_end_matches("Received:\r\n").to_owned() } else { header };
        let out = smtpd(&home, &queue).input(MESSAGE.replace("S: x\r\n", &header)).run().out_text();
        assert!(out.lines().nth(4).expect("a reply").starts_with(code), "{hops}: {out}");
        assert_eq!(queue.envelopes()[0].is_empty(), code == "554");
    }
}

/// M1: memory does not grow with what the client sends.
#[test]
fn m1_a_session_stays_small_whatever_it_is_sent() {
    let (home, queue) = home();
    let mut dialogue = Dialogue::start(&home, &queue);
    dialogue.line();
    let resident = |dialogue: &Dialogue| {
        let status =
            fs::read_to_string(format!("/proc/{}/status", dialogue.running.pid())).expect("its status");
        let line = status.lines().find(|line| line.starts_with("RssAnon:")).expect("its own memory");
        line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok()).expect("kilobytes")
    };
    dialogue.say(&format!("NOOP {}", "x".repeat(4_000_000)));
    dialogue.say(&format!("HELO {}", "h".repeat(2000)));
    for _ in 0..100 {
        // Many commands at once, each of which is answered.
        dialogue.send("NOOP x\r\n".repeat(500));
        (0..500).for_each(|_| drop(dialogue.line()));
    }
    assert!(resident(&dialogue) < 4096, "{} KiB after commands", resident(&dialogue));
    for n in 0..1000 {
        if n % 1000 == 0 {
            dialogue.say("MAIL FROM:<s@x>");
        }
        dialogue.say(&format!("RCPT TO:<{}{n}@here.example>", "u".repeat(800)));
    }
    assert!(resident(&dialogue) < 4096, "{} KiB after recipients", resident(&dialogue));
    dialogue.say("DATA");
    for text in ["z".repeat(8_000_000), "\r\n".repeat(2_000_000), "Received: x\r\n".repeat(300_000)] {
        dialogue.send(text);
        assert!(resident(&dialogue) < 4096, "{} KiB in a message", resident(&dialogue));
    }
    dialogue.send("\r\n.\r\n");
    assert!(dialogue.line().starts_with("250 ok "));
}

/// An independent client gets a message through.
#[test]
fn swaks_delivers_through_the_server() {
    let Some(swaks) = harness::installed("swaks") else { return harness::skipped("swaks is not installed") };
    let (home, queue) = home();
    let outcome = Call::path(&swaks)
        .args(["--from", "s@x.example", "--to", "a@here.example,b@here.example", "--helo", "c.example"])
        .args(["--body", ".dots\n..and more\n", "--pipeline", "--pipe"])
        .arg(home.program("qmail-smtpd"))
        .env("QMAILQUEUE", &queue.program)
        .run();
    assert_eq!(outcome.code, 0, "{}{}", outcome.out_text(), outcome.err_text());
    assert_eq!(queue.envelopes(), [b"Fs@x.example\0Ta@here.example\0Tb@here.example\0\0"]);
    let message = String::from_utf8_lossy(&queue.messages()[0]).into_owned();
    assert!(message.contains("\n.dots\n..and more\n"), "{message}");
}
