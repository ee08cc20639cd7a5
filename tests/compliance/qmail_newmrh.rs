//! `qmail-newmrh`: the measured case, byte for byte; what a failure leaves; and that qmail-smtpd reads what it makes.

use crate::fixtures::{Fixtures, decode_base64};
use harness::MailHome;
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn the_measured_case() {
    let fixtures = Fixtures::load("newmrh");
    assert_eq!(fixtures.cases().len(), 1);
    for case in fixtures.cases() {
        let home = MailHome::new([("morercpthosts", case.bytes("stdin").as_slice())]);
        let outcome = home.call("qmail-newmrh").run();
        assert_eq!(
            (outcome.code, outcome.err_text().as_str()),
            (case.expected_exit(), ""),
            "{}",
            case.name()
        );
        let database = fs::read(home.path().join("control/morercpthosts.cdb")).expect("the database");
        assert_eq!(
            database,
            decode_base64(case.expected("cdb").as_str().expect("a database")),
            "{}",
            case.name()
        );
        let mode =
            fs::metadata(home.path().join("control/morercpthosts.cdb")).expect("the database").permissions();
        assert_eq!(mode.mode() & 0o777, 0o644);
        assert!(!home.path().join("control/morercpthosts.tmp").exists());
    }
}

#[test]
fn qmail_smtpd_accepts_the_hosts_of_the_database_and_no_others() {
    let control: [(&str, &[u8]); 3] = [
        ("me", b"mail.example.org\n"),
        ("rcpthosts", b"here.example\n"),
        ("morercpthosts", b"More.EXAMPLE\n.below.example\n"),
    ];
    let home = MailHome::new(control);
    let queue = home.fake_queue();
    let replies = || {
        let recipients =
            ["a@here.example", "a@more.example", "a@x.below.example", "a@below.example", "a@other.example"];
        let commands: String =
            recipients.iter().map(|recipient| format!("RCPT TO:<{recipient}>\r\n")).collect();
        let session = format!("HELO c\r\nMAIL FROM:<s@c.example>\r\n{commands}QUIT\r\n");
        let call = home.call("qmail-smtpd").env("QMAILQUEUE", &queue.program).input(session);
        let replies = call.run().out_text();
        // After the greeting, HELO and MAIL; the last is the answer to QUIT.
        let codes: Vec<String> = replies.lines().skip(3).take(5).map(|line| line[..3].to_owned()).collect();
        codes.join(" ")
    };
    assert_eq!(replies(), "250 553 553 553 553");
    let outcome = home.call("qmail-newmrh").run();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    assert_eq!(replies(), "250 250 250 553 553");
}

#[test]
fn a_list_that_cannot_be_read_leaves_the_old_database_in_force() {
    let home = MailHome::new([("morercpthosts", &b"a.example\n"[..])]);
    assert_eq!(home.call("qmail-newmrh").run().code, 0);
    let path = home.path().join("control/morercpthosts.cdb");
    let before = fs::read(&path).expect("the database");
    fs::remove_file(home.path().join("control/morercpthosts")).expect("the list");
    let outcome = home.call("qmail-newmrh").run();
    let message = "qmail-newmrh: fatal: unable to read control/morercpthosts: file does not exist\n";
    assert_eq!((outcome.code, outcome.err_text().as_str()), (111, message));
    assert_eq!(fs::read(&path).expect("the database"), before);
}

/// In `rcpthosts` a NUL ends an item; a record has it as a byte, so that no host is found by a damaged line.
#[test]
fn a_nul_does_not_make_two_hosts_of_a_line() {
    let home = MailHome::new([("morercpthosts", &b"a.example\0b.example\n"[..])]);
    assert_eq!(home.call("qmail-newmrh").run().code, 0);
    let database = fs::read(home.path().join("control/morercpthosts.cdb")).expect("the database");
    let record = b"\x13\0\0\0\0\0\0\0a.example\0b.example";
    assert_eq!(database.get(2048..2048 + record.len()), Some(&record[..]));
}
