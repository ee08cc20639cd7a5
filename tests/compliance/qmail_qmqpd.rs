//! `qmail-qmqpd`.

use crate::fixtures::{Fixtures, fits, run_server};
use crate::qmail_qmtpd::{netstring, replies};
use harness::{Call, FakeQueue, MailHome, wait_until};

#[test]
fn every_measured_case_is_answered_as_measured() {
    let fixtures = Fixtures::load("qmqpd");
    for case in fixtures.cases() {
        let (outcome, queue, _home) = run_server("qmail-qmqpd", &fixtures, case);
        assert!(fits(case, &outcome, &queue), "{}: {outcome:?} {:?}", case.name(), queue.envelopes());
    }
}

fn home() -> (MailHome, FakeQueue) {
    let home = MailHome::new([("rcpthosts", &b"here.example\n"[..]), ("databytes", b"1\n")]);
    let queue = home.fake_queue();
    (home, queue)
}

fn qmqpd(home: &MailHome, queue: &FakeQueue) -> Call {
    home.call("qmail-qmqpd").env("QMAILQUEUE", &queue.program)
}

fn request(message: &[u8], sender: &str, recipients: &[&str]) -> Vec<u8> {
    let list: Vec<u8> = recipients.iter().flat_map(netstring).collect();
    netstring([netstring(message), netstring(sender), list].concat())
}

#[test]
fn any_message_for_anywhere_is_queued_as_it_is() {
    let (home, queue) = home();
    let message = b"S: x\r\n\r\n.\r\nlast\0";
    let input = [&request(message, "s@x", &["a@there.example", "b"])[..], b"more"].concat();
    let outcome = qmqpd(&home, &queue).env("RELAYCLIENT", ".gw").input(input).run();
    assert_eq!((replies(&outcome.out), outcome.code), (vec!["Kok".to_owned()], 0));
    assert!(queue.messages()[0].ends_with(message));
    assert_eq!(queue.envelopes(), [b"Fs@x\0Ta@there.example\0Tb\0\0"]);
}

/// S5: one bad address spoils the request, because there is one reply.
#[test]
fn s5_addresses_that_cannot_be_any_refuse_the_request() {
    let (home, queue) = home();
    let long = "u".repeat(1000);
    for (sender, recipient) in [("s\0", "a"), (&long, "a"), ("s", "a\0b"), ("s", &long), ("s", "a\nb")] {
        let outcome = qmqpd(&home, &queue).input(request(b"x", sender, &["first", recipient, "last"])).run();
        assert_eq!(replies(&outcome.out), ["Dsorry, I can't accept addresses like that (#5.1.3)"]);
        assert_eq!(outcome.code, 0);
    }
    wait_until("all were dropped", || queue.envelopes().len() == 5);
    assert!(queue.envelopes().iter().all(|envelope| !envelope.ends_with(b"\0\0")));
}

/// B1
#[test]
fn b1_a_hundred_hops_are_too_many() {
    let (home, queue) = home();
    let message = "Received: x\n".repeat(100) + "\nb\n";
    let outcome = qmqpd(&home, &queue).input(request(message.as_bytes(), "s@x", &["a"])).run();
    assert_eq!(replies(&outcome.out), ["Dtoo many hops, this message is looping (#5.4.6)"]);
}

#[test]
fn a_queue_that_fails_is_a_reply_of_its_class() {
    let (home, queue) = home();
    for (status, reply) in [
        ("31", "Dmail server permanently rejected message (#5.3.0)"),
        ("53", "Zqq write error or disk full (#4.3.0)"),
        ("81", "Zqq internal bug (#4.3.0)"),
    ] {
        let outcome =
            qmqpd(&home, &queue).env("FAKEQUEUE_EXIT", status).input(request(b"x", "s", &["a"])).run();
        assert_eq!((replies(&outcome.out), outcome.code), (vec![reply.to_owned()], 0));
    }
}

#[test]
fn what_is_not_the_protocol_has_no_reply_and_is_not_queued() {
    let (home, queue) = home();
    let good = request(b"x", "s", &["a"]);
    let cut = &good[..good.len() - 1];
    for (input, code) in [
        (&b"x"[..], 100),
        (b"3:0:,,", 100),
        (b"9:0:,0:,9:a,,", 100),
        (b"9:0:,0:,1:a;,", 100),
        (&[cut, b";"].concat(), 100),
        ("0".repeat(101).as_bytes(), 100),
        (b"99999999999:", 111),
        (cut, 0),
        (b"", 0),
    ] {
        let outcome = qmqpd(&home, &queue).input(input).run();
        assert_eq!((outcome.out_text().as_str(), outcome.code), ("", code), "{input:?}");
    }
    assert!(queue.envelopes().iter().all(|envelope| !envelope.ends_with(b"\0\0")));
}
