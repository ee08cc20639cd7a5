//! `qmail-remote`: the measured cases, driven against a server that follows each case's script.

use crate::fixtures::{Case, Fixtures, latin1};
use harness::{MailHome, Outcome, Script, SmtpPeer};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

#[test]
fn the_measured_cases_come_out_as_measured() {
    let fixtures = Fixtures::load("remote");
    for case in fixtures.cases() {
        let (outcome, heard) = run(&fixtures, case);
        let name = case.name();
        assert_eq!(outcome.code, case.expected_exit(), "{name}: exit status");
        assert_eq!(text(&outcome.out), text(&latin1(case.expected("out"))), "{name}: report");
        let expected = latin1(case.expected("heard"));
        if case.field("close") == true {
            // What a server hears that hangs up is a matter of luck; its beginning was measured.
            assert!(heard.starts_with(&expected), "{name}: heard {}", text(&heard));
        } else {
            assert_eq!(text(&heard), text(&expected), "{name}: heard");
        }
    }
}

/// The case in a home of its own; what the program left and what the server heard.
fn run(fixtures: &Fixtures, case: Case<'_>) -> (Outcome, Vec<u8>) {
    let script = Script::new(case.list("replies"));
    let script = if case.field("close") == true { script.closing() } else { script };
    let peer = SmtpPeer::start("127.0.0.1", vec![script]).expect("a scripted server");
    let control = fixtures.control();
    let home = MailHome::new(control.iter().map(|(name, text)| (*name, text.as_slice())));
    home.control("helohost", "helo.example.org\n");
    home.control("smtproutes", format!("dest.example:127.0.0.1:{}\n", peer.port()));
    let recipients = case.list("rcpts").into_iter().map(OsString::from_vec);
    let call = home
        .call("qmail-remote")
        .arg("dest.example")
        .arg(OsString::from_vec(case.bytes("sender")))
        .args(recipients)
        .input(case.bytes("msg"));
    let outcome = call.run();
    (outcome, peer.heard())
}

/// A home whose mail for dest.example goes to these scripts, one connection each.
fn home_and_peer(scripts: Vec<Script>) -> (MailHome, SmtpPeer) {
    let peer = SmtpPeer::start("127.0.0.1", scripts).expect("a scripted server");
    let home = MailHome::new([("me", &b"mail.example.org\n"[..])]);
    home.control("smtproutes", format!("dest.example:127.0.0.1:{}\n", peer.port()));
    (home, peer)
}

/// The report of sending `message` from s@src.example to bob@dest.example.
fn sent(home: &MailHome, message: &str) -> String {
    report(home, &["dest.example", "s@src.example", "bob@dest.example"], message)
}

fn report(home: &MailHome, arguments: &[&str], message: &str) -> String {
    let outcome = home.call("qmail-remote").args(arguments).input(message).run();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    text(&outcome.out)
}

#[test]
fn too_few_arguments_are_misuse() {
    let home = MailHome::new([("me", &b"mail.example.org\n"[..])]);
    for arguments in [&[][..], &["host"], &["host", "sender"]] {
        let expected = r"DI (qmail-remote) was invoked improperly. (#5.3.5)\n\x00";
        assert_eq!(report(&home, arguments, ""), expected);
    }
}

#[test]
fn control_files_that_cannot_be_read_or_say_no_name_are_temporary() {
    let arguments = ["dest.example", "", "bob@dest.example"];
    let expected = r"ZUnable to read control files. (#4.3.0)\n\x00";
    assert_eq!(report(&MailHome::new([]), &arguments, ""), expected);
    for name in ["me", "helohost", "smtproutes", "timeoutremote", "timeoutconnect"] {
        let home = MailHome::new([]);
        if name != "me" {
            home.control("me", "mail.example.org\n");
        }
        std::fs::create_dir(home.path().join("control").join(name)).expect("a directory in a file's place");
        assert_eq!(report(&home, &arguments, ""), expected, "{name}");
    }
}

#[test]
fn a_partial_final_line_bounces_and_the_server_never_hears_the_end() {
    let (home, peer) = home_and_peer(vec![Script::new(["220 hi", "250 h", "250 ok", "250 ok", "354 go"])]);
    let expected = r"r\x00DSMTP cannot transfer messages with partial final lines. (#5.6.2)\n\x00";
    assert_eq!(sent(&home, "a\nb"), expected);
    let heard = peer.heard();
    assert!(heard.ends_with(b"DATA\r\na\r\nb"), "{}", text(&heard));
}

#[test]
fn a_connection_that_breaks_warns_of_a_duplicate_only_after_the_end_of_the_message() {
    let replies = ["220 hi", "250 h", "250 ok", "250 ok", "354 go"];
    let (home, _peer) = home_and_peer(vec![Script::new(&replies[..1]).closing()]);
    assert_eq!(sent(&home, "a\n"), r"ZConnected to 127.0.0.1 but connection died. (#4.4.2)\n\x00");
    // Closing instead of answering the message takes a server that heard it: one reply that is no line.
    let mut silent: Vec<&str> = replies.to_vec();
    silent.push("250-");
    let (home, _peer) = home_and_peer(vec![Script::new(silent).closing()]);
    let expected = r"r\x00ZConnected to 127.0.0.1 but connection died. Possible duplicate! (#4.4.2)\n\x00";
    assert_eq!(sent(&home, "a\n"), expected);
}

#[test]
fn a_server_that_falls_silent_is_given_up_after_timeoutremote() {
    let (home, _peer) = home_and_peer(vec![Script::new(["220 hi"])]);
    home.control("timeoutremote", "1\n");
    assert_eq!(sent(&home, "a\n"), r"ZConnected to 127.0.0.1 but connection died. (#4.4.2)\n\x00");
}

#[test]
fn m6_a_reply_is_cut_and_cannot_bring_control_characters_into_a_bounce() {
    let long = [&b"550 a\0b\x1bc"[..], &[b'x'; 9000]].concat();
    let replies: [&[u8]; 4] = [b"220 hi", b"250 h", b"250 ok", &long];
    let (home, _peer) = home_and_peer(vec![Script::new(replies)]);
    let report = sent(&home, "a\n");
    let kept = "x".repeat(5000 - "550 a?b?c".len());
    let expected = format!(
        r"h127.0.0.1 does not like recipient.\nRemote host said: 550 a?b?c{kept}\x00DGiving up on 127.0.0.1.\n\x00"
    );
    assert_eq!(report, expected);
}

#[test]
fn mail_to_this_machine_by_address_is_not_sent_in_a_circle() {
    let home = MailHome::new([("me", &b"mail.example.org\n"[..])]);
    for host in ["127.0.0.1", "[127.0.0.1]", "0.0.0.0", "[::]", "[IPv6:::ffff:127.0.0.1]"] {
        let report = report(&home, &[host, "", "bob@x.example"], "a\n");
        assert!(report.starts_with("DSorry. Although") && report.contains("(#5.4.6)"), "{host}: {report}");
    }
}

#[test]
fn an_empty_host_has_no_address() {
    let home = MailHome::new([("me", &b"mail.example.org\n"[..])]);
    let expected = r"DSorry, I couldn\'t find any host named . (#5.1.2)\n\x00";
    assert_eq!(report(&home, &["", "", "bob@"], "a\n"), expected);
}

#[test]
fn b5_a_recipient_without_local_part_bounces() {
    let (home, _peer) = home_and_peer(vec![]);
    let report = report(&home, &["dest.example", "", "@dest.example"], "a\n");
    assert_eq!(report, r"DSorry, the recipient address has no local part. (#5.1.3)\n\x00");
}

#[test]
fn a_port_where_nobody_listens_is_tried_again_later() {
    let home = MailHome::new([("me", &b"mail.example.org\n"[..])]);
    for port in [harness::free_port(), 0] {
        home.control("smtproutes", format!(":127.0.0.1:{port}\n"));
        let expected = r"ZSorry, I wasn\'t able to establish an SMTP connection. (#4.4.1)\n\x00";
        assert_eq!(sent(&home, "a\n"), expected);
    }
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
