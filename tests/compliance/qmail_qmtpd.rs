//! `qmail-qmtpd`.

use crate::fixtures::{Fixtures, fits, run_server};
use harness::{Call, FakeQueue, MailHome, Running, wait_until};
use std::fs;
use std::io::{BufReader, Read, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

#[test]
fn every_measured_case_is_answered_as_measured() {
    let fixtures = Fixtures::load("qmtpd");
    for case in fixtures.cases() {
        let (outcome, queue, _home) = run_server("qmail-qmtpd", &fixtures, case);
        assert!(fits(case, &outcome, &queue), "{}: {outcome:?} {:?}", case.name(), queue.envelopes());
    }
}

fn home() -> (MailHome, FakeQueue) {
    let home = MailHome::new([("me", &b"mail.example\n"[..]), ("rcpthosts", b"here.example\n")]);
    let queue = home.fake_queue();
    (home, queue)
}

fn qmtpd(home: &MailHome, queue: &FakeQueue) -> Call {
    home.call("qmail-qmtpd").env("QMAILQUEUE", &queue.program)
}

pub fn netstring(contents: impl AsRef<[u8]>) -> Vec<u8> {
    let contents = contents.as_ref();
    [format!("{}:", contents.len()).as_bytes(), contents, b","].concat()
}

/// A request with lines that end in LF.
pub fn request(message: &[u8], sender: &str, recipients: &[&str]) -> Vec<u8> {
    let list: Vec<u8> = recipients.iter().flat_map(netstring).collect();
    [netstring([&b"\n"[..], message].concat()), netstring(sender), netstring(list)].concat()
}

/// The contents of netstrings, each with the numbers in it taken out of a success.
pub fn replies(mut out: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    while !out.is_empty() {
        let colon = out.iter().position(|byte| *byte == b':').expect("a length");
        let length: usize = std::str::from_utf8(&out[..colon]).unwrap().parse().expect("a length");
        let text = String::from_utf8(out[colon + 1..colon + 1 + length].to_vec()).expect("text");
        assert_eq!(out[colon + 1 + length], b',');
        found.push(if text.starts_with("Kok ") { "Kok".to_owned() } else { text });
        out = &out[colon + length + 2..];
    }
    found
}

const NOT_ALLOWED: &str = "Dsorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)";
const UNUSABLE: &str = "Dsorry, I can't handle that recipient (#5.1.3)";

#[test]
fn each_recipient_has_its_own_reply_in_order() {
    let (home, queue) = home();
    let long = format!("{}@here.example", "u".repeat(1000));
    let recipients =
        ["a@here.example", "b@there.example", &long, "c\0@here.example", "d@here.example", "local"];
    let outcome = qmtpd(&home, &queue).input(request(b"x\n", "s@x", &recipients)).run();
    assert_eq!(replies(&outcome.out), ["Kok", NOT_ALLOWED, UNUSABLE, UNUSABLE, "Kok", "Kok"]);
    assert_eq!(outcome.code, 0);
    assert_eq!(queue.envelopes(), [b"Fs@x\0Ta@here.example\0Td@here.example\0Tlocal\0\0"]);
}

#[test]
fn without_a_good_recipient_nothing_is_queued() {
    let (home, queue) = home();
    let input = [request(b"x\n", "s@x", &["b@there.example"]), request(b"x\n", "s@x", &[])].concat();
    let outcome = qmtpd(&home, &queue).input(input).run();
    assert_eq!(replies(&outcome.out), [NOT_ALLOWED]);
    wait_until("both messages were dropped", || queue.envelopes().len() == 2);
    assert!(queue.envelopes().iter().all(|envelope| !envelope.ends_with(b"\0\0")));
}

#[test]
fn a_relay_client_sends_anywhere_with_the_suffix() {
    let (home, queue) = home();
    let outcome = qmtpd(&home, &queue)
        .env("RELAYCLIENT", ".gw")
        .input(request(b"x\n", "s@x", &["b@there.example", &"u".repeat(997)]))
        .run();
    assert_eq!(replies(&outcome.out), ["Kok", UNUSABLE]);
    assert_eq!(queue.envelopes(), [b"Fs@x\0Tb@there.example.gw\0\0"]);
}

#[test]
fn a_sender_that_cannot_be_one_fails_the_message() {
    let (home, queue) = home();
    for sender in ["s\0@x", &"s".repeat(1000), "s\n@x"] {
        let outcome = qmtpd(&home, &queue).input(request(b"x\n", sender, &["a@here.example"])).run();
        assert_eq!(replies(&outcome.out), ["Dunacceptable sender (#5.1.7)"]);
    }
    assert!(queue.envelopes().iter().all(Vec::is_empty));
}

/// S5: no control byte of a client gets into an envelope.
#[test]
fn s5_recipients_with_control_bytes_are_refused() {
    let (home, queue) = home();
    let names: Vec<String> = ["\n", "\r", "\x01", "\x7f"].map(|byte| format!("a{byte}@here.example")).into();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let outcome = qmtpd(&home, &queue).input(request(b"x\n", "s@x", &names)).run();
    assert_eq!(replies(&outcome.out), [UNUSABLE; 4]);
}

#[test]
fn the_size_limit_counts_the_message_as_it_is_queued() {
    let (home, queue) = home();
    home.control("databytes", "10\n");
    let too_large = "Dsorry, that message size exceeds my databytes limit (#5.3.4)";
    let cases: [(&[u8], &str); 4] = [
        (b"\n123456789\n", "Kok"),
        (b"\n1234567890\n", too_large),
        (b"\r12345678\r\n\r\n", "Kok"),
        (b"\r123456789\r\n\n", too_large),
    ];
    for (message, reply) in cases {
        let input = [netstring(message), netstring("s\0"), netstring(netstring("a@here.example"))].concat();
        let reply = if reply == "Kok" { "Dunacceptable sender (#5.1.7)" } else { reply };
        let outcome = qmtpd(&home, &queue).input(input).run();
        assert_eq!(replies(&outcome.out), [reply], "{message:?}");
    }
}

/// B1
#[test]
fn b1_a_hundred_hops_are_too_many() {
    let (home, queue) = home();
    for (hops, reply) in [(99, "Kok"), (100, "Dtoo many hops, this message is looping (#5.4.6)")] {
        let message = "Received: x\n".repeat(hops) + "\nb\n";
        let outcome =
            qmtpd(&home, &queue).input(request(message.as_bytes(), "s@x", &["a@here.example"])).run();
        assert_eq!(replies(&outcome.out), [reply]);
    }
}

/// M2
#[test]
fn m2_recipients_over_the_limit_are_put_off_one_by_one() {
    let (home, queue) = home();
    home.control("maxrecipients", "2\n");
    let recipients = ["a@here.example", "b@there.example", "c@here.example", "d@here.example"];
    let outcome = qmtpd(&home, &queue).input(request(b"x\n", "s@x", &recipients)).run();
    let put_off = "Ztoo many recipients, send the others later (#4.5.3)";
    assert_eq!(replies(&outcome.out), ["Kok", NOT_ALLOWED, "Kok", put_off]);
    assert_eq!(queue.envelopes(), [b"Fs@x\0Ta@here.example\0Tc@here.example\0\0"]);
}

#[test]
fn a_queue_that_fails_is_a_reply_of_its_class_and_the_session_goes_on() {
    let (home, queue) = home();
    for (status, reply) in [
        ("11", "Denvelope address too long for qq (#5.1.3)"),
        ("31", "Dmail server permanently rejected message (#5.3.0)"),
        ("52", "Zqq timeout (#4.3.0)"),
        ("53", "Zqq write error or disk full (#4.3.0)"),
        ("120", "Zunable to exec qq (#4.3.0)"),
    ] {
        let input = request(b"x\n", "s@x", &["a@here.example", "b@there.example"]).repeat(2);
        let outcome = qmtpd(&home, &queue).env("FAKEQUEUE_EXIT", status).input(input).run();
        assert_eq!(replies(&outcome.out), [reply, NOT_ALLOWED, reply, NOT_ALLOWED]);
    }
    let outcome = qmtpd(&home, &queue)
        .env("QMAILQUEUE", "/nonexistent")
        .input(request(b"x\n", "s@x", &["a@here.example"]))
        .run();
    assert_eq!(replies(&outcome.out), ["Zunable to exec qq (#4.3.0)"]);
}

/// Whatever was accepted is said to be, also when the next request is garbage.
#[test]
fn a_protocol_violation_ends_the_session_after_the_replies_that_are_due() {
    let (home, queue) = home();
    let good = request(b"x\n", "s@x", &["a@here.example"]);
    for (garbage, code) in [
        (&b"hello"[..], 100),
        (b"0:,", 100),
        (b"2:xy,", 100),
        (b"2:\ny;", 100),
        (b"2:\ny,1:s,3:9:a,", 100),
        (b"3000000000:", 111),
        (b"2:\ny,1:s,", 0),
        (b"", 0),
    ] {
        let outcome = qmtpd(&home, &queue).input([&good, garbage].concat()).run();
        assert_eq!((replies(&outcome.out), outcome.code), (vec!["Kok".to_owned()], code), "{garbage:?}");
        // One line of log at most, L8.
        assert!(outcome.err_text().lines().count() <= 1, "{}", outcome.err_text());
    }
    let complete = || queue.envelopes().into_iter().filter(|envelope| envelope.ends_with(b"\0\0")).count();
    assert_eq!(complete(), 8);
}

#[test]
fn a_control_file_that_cannot_be_read_is_a_temporary_failure() {
    for name in ["rcpthosts", "morercpthosts.cdb", "databytes", "maxrecipients"] {
        let (home, queue) = home();
        let path = home.path().join("control").join(name);
        let _ = fs::remove_file(&path);
        fs::create_dir(&path).expect("a directory in the way");
        let outcome = qmtpd(&home, &queue).input(request(b"x\n", "s@x", &["a@there.example"])).run();
        assert_eq!((outcome.out_text().as_str(), outcome.code), ("", 111), "{name}");
        assert!(outcome.err_text().contains(&format!("control/{name}")), "{}", outcome.err_text());
    }
}

/// A server with a client that takes turns with it.
struct Dialogue {
    running: Running,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Dialogue {
    fn start(home: &MailHome, queue: &FakeQueue) -> Dialogue {
        let mut command = Command::new(home.program("qmail-qmtpd"));
        command.env("QMAILQUEUE", &queue.program).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = Running::start(&mut command);
        let input = running.child().stdin.take().expect("a piped standard input");
        let output = BufReader::new(running.child().stdout.take().expect("a piped standard output"));
        Dialogue { running, input, output }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.input.write_all(bytes).expect("a server that reads");
    }

    fn hear(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.output.read_exact(&mut bytes).expect("a server that replies");
        bytes
    }
}

#[test]
fn replies_come_before_the_server_waits_for_more() {
    let (home, queue) = home();
    let mut dialogue = Dialogue::start(&home, &queue);
    for _ in 0..3 {
        for byte in request(b"x\n", "s@x", &["b@there.example"]) {
            dialogue.send(&[byte]);
        }
        assert_eq!(replies(&dialogue.hear(NOT_ALLOWED.len() + 4)), [NOT_ALLOWED]);
    }
    drop(dialogue.input);
    assert_eq!(dialogue.running.wait(), 0);
}

/// M1: memory does not grow with what the client sends.
#[test]
fn m1_a_session_stays_small_whatever_it_is_sent() {
    let (home, queue) = home();
    home.control("maxrecipients", "0\n");
    let mut dialogue = Dialogue::start(&home, &queue);
    let resident = |dialogue: &Dialogue| {
        let status =
            fs::read_to_string(format!("/proc/{}/status", dialogue.running.pid())).expect("its status");
        let line = status.lines().find(|line| line.starts_with("RssAnon:")).expect("its own memory");
        line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok()).expect("kilobytes")
    };
    dialogue.send(b"8000001:\n");
    dialogue.send(&b"z".repeat(8_000_000));
    dialogue.send(b",5000000:");
    dialogue.send(&b"s".repeat(5_000_000));
    dialogue.send(b",10900000:");
    for _ in 0..900 {
        dialogue.send(&[&b"12000:"[..], &b"r".repeat(12_000), b","].concat());
    }
    assert!(resident(&dialogue) < 4096, "{} KiB", resident(&dialogue));
    drop(dialogue.input);
    assert_eq!(dialogue.running.wait(), 0);
}
