//! `serialsmtp`, at a host that follows a script, and at qmail-smtpd.

use super::{Maildir, PREFIX, by_tcpclient, far_home, far_server};
use harness::{Call, Outcome, Script, SmtpPeer};
use std::fs;
use std::path::Path;

const PIPELINING: &str = "250-far.example\r\n250-SIZE 1\r\n250 PIPELINING";

/// Sends these files to a host with a script; what happened, and what the host heard.
fn send(maildir: &Maildir, replies: &[&str], names: &[&str]) -> (Outcome, String) {
    send_to(maildir, Script::new(replies), names)
}

fn send_to(maildir: &Maildir, script: Script, names: &[&str]) -> (Outcome, String) {
    let peer = SmtpPeer::start("127.0.0.1", vec![script]).expect("a server");
    let outcome = by_tcpclient(maildir, peer.port(), &["serialsmtp", PREFIX, "me.example"], names);
    (outcome, String::from_utf8_lossy(&peer.heard()).into_owned())
}

fn two_messages() -> Maildir {
    let maildir = Maildir::new();
    maildir.put("new/a", "s@src.example", "Subject: one\n\n.\n..x\n");
    maildir.put("cur/b:2,S", "", "\u{e9}\n");
    maildir
}

#[test]
fn with_pipelining_the_commands_of_a_message_go_together() {
    let replies = [
        "220 hi",
        PIPELINING,
        "250 ok",
        "250 ok",
        "354 go",
        "250-queued\r\n250 as 1",
        "250 ok",
        "250 ok",
        "550 no such user",
        "503 no recipients",
    ];
    let (outcome, heard) = send(&two_messages(), &replies, &["new/a", "cur/b:2,S"]);
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    let expected = "new/a\0K127.0.0.1 said: 250 as 1\ncur/b:2,S\0D127.0.0.1 said: 550 no such user\n";
    assert_eq!(outcome.out_text(), expected);
    assert_eq!(
        heard,
        "EHLO me.example\r\n\
         MAIL FROM:<s@src.example>\r\nRCPT TO:<joe@far.example>\r\nDATA\r\n\
         Subject: one\r\n\r\n..\r\n...x\r\n.\r\n\
         RSET\r\nMAIL FROM:<>\r\nRCPT TO:<joe@far.example>\r\nDATA\r\nQUIT\r\n"
    );
}

#[test]
fn without_pipelining_each_command_waits_and_the_first_bad_reply_counts() {
    let replies = [
        "220-hi\r\n220 there",
        "502 what",
        "250 me",
        "250 ok",
        "450 later\tplease",
        "250 ok",
        "250 ok",
        "250 ok",
        "354 go",
        "552 too big",
    ];
    let (outcome, heard) = send(&two_messages(), &replies, &["new/a", "cur/b:2,S"]);
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    let expected = "new/a\0Z127.0.0.1 said: 450 later?please\ncur/b:2,S\0D127.0.0.1 said: 552 too big\n";
    assert_eq!(outcome.out_text(), expected);
    assert_eq!(
        heard,
        "EHLO me.example\r\nHELO me.example\r\n\
         MAIL FROM:<s@src.example>\r\nRCPT TO:<joe@far.example>\r\n\
         RSET\r\nMAIL FROM:<>\r\nRCPT TO:<joe@far.example>\r\nDATA\r\n\u{e9}\r\n.\r\nQUIT\r\n"
    );
}

#[test]
fn a_host_that_cannot_be_talked_to_is_a_failure() {
    for (replies, error, said) in [
        (&["554 no"][..], "connected but greeting failed", "QUIT\r\n"),
        (
            &["220 hi", "500 a", "550 b"],
            "connected but my name was rejected",
            "EHLO me.example\r\nHELO me.example\r\nQUIT\r\n",
        ),
        (&["hello"], "protocol violation", ""),
    ] {
        let (outcome, heard) = send(&two_messages(), replies, &["new/a"]);
        assert_eq!((outcome.code, outcome.out_text().as_str()), (111, ""));
        assert_eq!(outcome.err_text(), format!("serialsmtp: fatal: {error}\n"));
        assert_eq!(heard, said);
    }
    let (outcome, _) = send_to(&two_messages(), Script::new(["220 hi", PIPELINING]).closing(), &["new/a"]);
    let errors = outcome.err_text();
    assert!(errors.starts_with("serialsmtp: fatal: network "), "{errors}");
    let (outcome, _) = send_to(&two_messages(), Script::new(["220 hi"]).closing(), &[]);
    assert_eq!((outcome.code, outcome.out_text().as_str()), (111, ""));
    let closed = Call::path(Path::new("/bin/sh")).args(["-c", "exec \"$@\" 6<&- 7>&-", "sh"]);
    let outcome = closed.arg(harness::program("serialsmtp")).args(["p", "h"]).run();
    let expected = "serialsmtp: fatal: network read error: file descriptor not open\n";
    assert_eq!((outcome.code, outcome.err_text().as_str()), (111, expected));
}

/// After the report: the host waits for a message that nobody sends, so the connection cannot be used any more.
#[test]
fn a_command_that_is_taken_after_a_refusal_ends_the_run() {
    let replies = ["220 hi", PIPELINING, "250 ok", "550 no", "354 go"];
    let (outcome, _) = send(&two_messages(), &replies, &["new/a", "cur/b:2,S"]);
    assert_eq!(outcome.out_text(), "new/a\0D127.0.0.1 said: 550 no\n");
    assert_eq!((outcome.code, outcome.err_text().as_str()), (111, "serialsmtp: fatal: protocol violation\n"));
    let replies = ["220 hi", PIPELINING, "250 ok", "250 ok", "354 go", "250 ok", "500 what"];
    let (outcome, _) = send(&two_messages(), &replies, &["new/a", "cur/b:2,S"]);
    assert_eq!(outcome.out_text(), "new/a\0K127.0.0.1 said: 250 ok\n");
    assert_eq!((outcome.code, outcome.err_text().as_str()), (111, "serialsmtp: fatal: protocol violation\n"));
}

const ONE_TAKEN: [&str; 6] = ["220 hi", PIPELINING, "250 ok", "250 ok", "354 go", "250 ok"];

/// The original ends at such a message, and never sends those behind it.
#[test]
fn a_partial_last_line_keeps_its_message_and_no_other() {
    let maildir = two_messages();
    maildir.put("new/c", "s@src.example", "whole\npartial");
    let (outcome, heard) = send(&maildir, &ONE_TAKEN, &["new/c", "new/a"]);
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    let expected =
        "new/c\0ZSMTP cannot transfer messages with partial final lines\nnew/a\0K127.0.0.1 said: 250 ok\n";
    assert_eq!(outcome.out_text(), expected);
    assert!(!heard.contains("partial"));
}

#[test]
fn other_files_are_passed_over_and_one_that_is_gone_ends_the_run() {
    let maildir = two_messages();
    maildir.put_file("new/other", "Return-Path: <>\nDelivered-To: alias-slip-joe@x\n\n");
    maildir.put_file("new/none", "Subject: x\n\n");
    let names = ["new/other", "new/none", "new", "new/a", "new/gone"];
    let (outcome, _) = send(&maildir, &ONE_TAKEN, &names);
    assert_eq!(outcome.out_text(), "new/a\0K127.0.0.1 said: 250 ok\n");
    let expected = "serialsmtp: fatal: unable to open new/gone: file does not exist\n";
    assert_eq!((outcome.code, outcome.err_text().as_str()), (111, expected));
}

#[test]
fn addresses_are_quoted_for_smtp_once() {
    let maildir = Maildir::new();
    let path = "Return-Path: <\"a b\\\"c\"@src.example>\nDelivered-To: alias-ppp-x y@far.example\n\n";
    maildir.put_file("new/q", path);
    let (outcome, heard) = send(&maildir, &ONE_TAKEN, &["new/q"]);
    assert_eq!(outcome.code, 0);
    assert!(
        heard.contains("MAIL FROM:<\"a b\\\"c\"@src.example>\r\nRCPT TO:<\"x y\"@far.example>\r\n"),
        "{heard}"
    );
}

#[test]
fn nobody_is_said_to_have_said_it_without_tcpremoteip() {
    let maildir = two_messages();
    let peer = SmtpPeer::start("127.0.0.1", vec![Script::new(ONE_TAKEN)]).expect("a server");
    let client = harness::program("serialsmtp");
    let words = ["env", "-u", "TCPREMOTEIP", client.to_str().expect("ASCII"), PREFIX, "h"];
    let call = Call::ours("tcpclient").args(["-RHl0", "127.0.0.1", &peer.port().to_string()]).args(words);
    let outcome = call.within(maildir.path()).input("new/a\0").run();
    assert_eq!(outcome.out_text(), "new/a\0K250 ok\n");
}

#[test]
fn a_long_reply_is_cut() {
    let long = format!("550 {}", "x".repeat(5000));
    let (outcome, _) = send(&two_messages(), &["220 hi", "250 me", &long], &["new/a"]);
    assert_eq!(outcome.out.len(), "new/a\0".len() + 2000 + "\n".len());
}

#[test]
fn qmail_smtpd_takes_what_it_sends() {
    let (home, maildir) = (far_home(), two_messages());
    let (server, queue) = far_server(&home, "qmail-smtpd");
    maildir.put_file("new/c", "Return-Path: <s@x>\nDelivered-To: alias-ppp-joe@elsewhere.example\n\nno\n");
    let names = ["new/a", "new/c", "cur/b:2,S"];
    let outcome = by_tcpclient(&maildir, server.port(), &["serialsmtp", PREFIX, "me.example"], &names);
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    let out = outcome.out_text();
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].starts_with("new/a\0K127.0.0.1 said: 250 ok "), "{out}");
    assert!(lines[1].starts_with("new/c\0D127.0.0.1 said: 553 sorry, "), "{out}");
    assert!(lines[2].starts_with("cur/b:2,S\0K127.0.0.1 said: 250 ok "), "{out}");
    let mut envelopes = queue.envelopes();
    envelopes.sort();
    assert_eq!(envelopes, [&b"F\0Tjoe@far.example\0\0"[..], b"Fs@src.example\0Tjoe@far.example\0\0"]);
    let messages = queue.messages();
    assert!(messages.iter().any(|message| message.ends_with(b"\nSubject: one\n\n.\n..x\n")));
    // The files are maildirserial's to remove.
    assert_eq!(fs::read_dir(maildir.path().join("new")).expect("a maildir").count(), 2);
}
