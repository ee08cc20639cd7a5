//! `serialqmtp`, at a host that follows a script, and at qmail-qmtpd.

use super::{Maildir, PREFIX, by_tcpclient, far_home, far_server};
use harness::Outcome;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};

/// Sends these files to a host that sends `replies` as soon as it has heard so many bytes; what happened, and what it heard.
fn send(maildir: &Maildir, after: usize, replies: &'static [u8], names: &[&str]) -> (Outcome, Vec<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let host = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut heard = vec![0; after];
        stream.read_exact(&mut heard).expect("messages");
        stream
            .write_all(replies)
            .and_then(|()| stream.shutdown(Shutdown::Write))
            .expect("a client that reads");
        // A client that gives up may reset the connection.
        let _ = stream.read_to_end(&mut heard);
        heard
    });
    let outcome = by_tcpclient(maildir, port, &["serialqmtp", PREFIX], names);
    (outcome, host.join().expect("a host"))
}

fn two_messages() -> Maildir {
    let maildir = Maildir::new();
    maildir.put("new/a", "Sender", "This is a test.\n");
    maildir.put("new/b", "\"a b\"@c", ".\r\nno end");
    maildir
}

const FIRST: &[u8] = b"17:\nThis is a test.\n,6:Sender,19:15:joe@far.example,,";
const SECOND: &[u8] = b"10:\n.\r\nno end,5:a b@c,19:15:joe@far.example,,";

#[test]
fn messages_go_without_waiting_and_are_reported_in_order() {
    let all = [FIRST, SECOND].concat();
    let (outcome, heard) =
        send(&two_messages(), all.len(), b"6:Kok\xe9 1,17:Dnever\nnot at all,", &["new/a", "new/b"]);
    assert_eq!(heard, all);
    let expected = "new/a\0K127.0.0.1 said: ok? 1\nnew/b\0D127.0.0.1 said: never?not at all\n";
    assert_eq!((outcome.code, outcome.out_text().as_str(), outcome.err_text().as_str()), (0, expected, ""));
}

#[test]
fn what_is_no_reply_ends_the_run_after_the_reports_before_it() {
    let first = "new/a\0K127.0.0.1 said: ok\n";
    for (replies, reports, error) in [
        (&b"3:Kok;"[..], first, "remote protocol violation"),
        (b"3:Kok", first, "network read error: end of file"),
        (b"3:Kok,", first, "network read error: end of file"),
        (
            b"3:Kok,3:Kok,3:Kok,",
            "new/a\0K127.0.0.1 said: ok\nnew/b\0K127.0.0.1 said: ok\n",
            "remote protocol violation",
        ),
        (b"0:,", "", "remote protocol violation"),
        (b"2:ok,", "", "remote protocol violation"),
        (b"x", "", "remote protocol violation"),
        (b"", "", "network read error: end of file"),
    ] {
        let (outcome, _) = send(&two_messages(), FIRST.len() + SECOND.len(), replies, &["new/a", "new/b"]);
        assert_eq!(outcome.err_text(), format!("serialqmtp: fatal: {error}\n"), "{replies:?}");
        assert_eq!((outcome.code, outcome.out_text().as_str()), (111, reports));
    }
}

/// What was sent before is still reported.
#[test]
fn a_file_that_is_gone_ends_the_run_and_others_are_passed_over() {
    let maildir = two_messages();
    maildir.put_file("new/other", "Return-Path: <>\nDelivered-To: alias-slip-joe@x\n\n");
    let names = ["new/other", "new/a", "new/gone", "new/b"];
    let (outcome, heard) = send(&maildir, FIRST.len(), b"3:Kok,", &names);
    assert_eq!(heard, FIRST);
    let reports = "new/a\0K127.0.0.1 said: ok\n";
    let error = "serialqmtp: fatal: unable to open file\n";
    assert_eq!(
        (outcome.code, outcome.out_text().as_str(), outcome.err_text().as_str()),
        (111, reports, error)
    );
}

/// A host that says that it has a message before it can have it is not believed.
#[test]
fn a_reply_before_the_end_of_its_message_is_a_violation() {
    let maildir = Maildir::new();
    maildir.put("new/large", "s@x", &"0123456789abcde\n".repeat(1_000_000));
    let (outcome, _) = send(&maildir, 100, b"3:Kok,", &["new/large"]);
    assert_eq!((outcome.code, outcome.out_text().as_str()), (111, ""));
    assert_eq!(outcome.err_text(), "serialqmtp: fatal: remote protocol violation\n");
}

#[test]
fn qmail_qmtpd_takes_what_it_sends() {
    let (home, maildir) = (far_home(), two_messages());
    let (server, queue) = far_server(&home, "qmail-qmtpd");
    maildir.put_file("new/c", "Return-Path: <>\nDelivered-To: alias-ppp-joe@elsewhere.example\n\nno\n");
    maildir.put("new/large", "", &"line\n".repeat(200_000));
    let names = ["new/a", "new/c", "new/b", "new/large"];
    let outcome = by_tcpclient(&maildir, server.port(), &["serialqmtp", PREFIX], &names);
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    let out = outcome.out_text();
    let starts: Vec<String> = out.lines().map(|line| line.chars().take(28).collect()).collect();
    let ok = |name: &str| format!("new/{name}\0K127.0.0.1 said: ok ");
    assert!(starts[0].starts_with(&ok("a")) && starts[2].starts_with(&ok("b")), "{out}");
    assert!(starts[1].starts_with("new/c\0D127.0.0.1 said: sorry"), "{out}");
    assert!(out.lines().nth(3).is_some_and(|line| line.starts_with(&ok("large"))), "{out}");
    let messages = queue.messages();
    assert_eq!(super::queued(&queue).len(), 3);
    assert!(messages.iter().any(|message| message.ends_with(b"\n.\r\nno end")));
    assert!(messages.iter().any(|message| message.len() > 1_000_000));
    assert!(queue.envelopes().contains(&b"Fa b@c\0Tjoe@far.example\0\0".to_vec()));
}
