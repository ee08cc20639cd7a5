//! `qmail-pw2u`: measured cases, its files, and that a table that cannot be made is not written in part.

use crate::fixtures::{Fixtures, latin1};
use harness::{MailHome, Outcome, is_root, skipped};
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

/// The text with the directory that the case's homes are in.
fn placed(text: &[u8], directory: &Path) -> Vec<u8> {
    let directory = directory.to_str().expect("an ASCII path");
    let text: String = text.iter().map(|byte| char::from(*byte)).collect();
    text.replace("{home}", directory).replace("{dir}", directory).into_bytes()
}

#[test]
fn the_measured_cases() {
    if !is_root() {
        skipped("only root can make home directories for several users");
        return;
    }
    let home = MailHome::new([]);
    let homes = harness::scratch();
    for (name, uid) in [("joe", 1000), ("ann", 1001), ("alias", 7790)] {
        fs::create_dir(homes.path().join(name)).expect("a home directory");
        chown(homes.path().join(name), Some(uid), None).expect("its owner");
    }
    let fixtures = Fixtures::load("pw2u");
    assert_eq!(fixtures.cases().len(), 4);
    for case in fixtures.cases() {
        let args = case.list("args").into_iter().map(|argument| String::from_utf8(argument).expect("ASCII"));
        let call = home.call("qmail-pw2u").args(args).input(placed(&case.bytes("stdin"), homes.path()));
        let outcome = call.run();
        assert_eq!(outcome.code, case.expected_exit(), "{}: {outcome:?}", case.name());
        let expected = placed(&latin1(case.expected("out")), homes.path());
        assert_eq!(outcome.out_text(), String::from_utf8_lossy(&expected), "{}", case.name());
        assert_eq!(outcome.err_text(), "", "{}", case.name());
    }
}

/// A home whose owner is the user `me`, and whose passwd file this is.
struct Users {
    mail: MailHome,
    passwd: String,
}

impl Users {
    fn new() -> Users {
        let mail = MailHome::new([]);
        let directory = mail.path().join("alias");
        if is_root() {
            chown(&directory, Some(1000), None).expect("an owner");
        }
        let uid = fs::metadata(&directory).expect("a directory").uid();
        let directory = directory.display();
        let passwd = format!(
            "root:x:0:0::/root:/bin/sh\nme:x:{uid}:5:Me:{directory}:/bin/sh\n\
             gone:x:77:7::/nonexistent:/bin/sh\nalias:x:{uid}:9::{directory}:/bin/false"
        );
        Users { mail, passwd }
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        self.mail.call("qmail-pw2u").args(arguments).input(&self.passwd).run()
    }
}

#[test]
fn the_files_in_users_say_who_goes_by_which_name() {
    let users = Users::new();
    let put =
        |name: &str, text: &str| fs::write(users.mail.path().join("users").join(name), text).expect(name);
    put("include", "# these\nME \nalias\ngone\n");
    put("exclude", "gone\n");
    put("mailnames", "me:first.last:me:\n");
    put("subusers", "# sales\nsales:me:shop:\nshort:me:x\n");
    put("append", "=extra:u:1:1:/:::");
    let outcome = users.run(&["-H", "-c+"]);
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    let lines = outcome.out_text();
    let beginnings: Vec<&str> =
        lines.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
    let expected = [
        "=first.last",
        "+first.last+",
        "=me",
        "+me+",
        "+",
        "=alias",
        "+alias+",
        "=sales",
        "+sales+",
        "=extra",
    ];
    assert_eq!(beginnings, expected);
    assert!(lines.contains(":-:shop:\n+sales+:me:") && lines.contains(":-:shop-:\n"), "{lines}");
    assert!(lines.ends_with("=extra:u:1:1:/:::.\n"), "{lines}");
}

/// FAQ 4.9
#[test]
fn faq_4_9_a_home_directory_that_is_away_stops_it_and_nothing_is_written() {
    let users = Users::new();
    let outcome = users.run(&["-h"]);
    let message = "qmail-pw2u: fatal: unable to stat /nonexistent: file does not exist\n";
    assert_eq!((outcome.code, outcome.out_text().as_str(), outcome.err_text().as_str()), (111, "", message));
    assert_eq!(users.run(&["-ho"]).code, 0, "the last of contradicting options counts");
}

/// FAQ 4.9
#[test]
fn faq_4_9_what_it_writes_is_taken_by_qmail_newu() {
    let users = Users::new();
    let table = users.run(&[]);
    assert_eq!((table.code, table.err_text().as_str()), (0, ""));
    fs::write(users.mail.path().join("users/assign"), &table.out).expect("the table");
    assert_eq!(users.mail.call("qmail-newu").run().code, 0);
    let database = fs::read(users.mail.path().join("users/cdb")).expect("the database");
    assert!(database.windows(4).any(|part| part == b"!me\0"));
}

#[test]
fn what_it_cannot_do_has_a_status_and_a_line() {
    let users = Users::new();
    let outcome = users.run(&["-x"]);
    assert_eq!(outcome.code, 100);
    assert!(
        outcome.err_text().starts_with("qmail-pw2u: illegal option -- x\nqmail-pw2u: usage: "),
        "{outcome:?}"
    );
    let nobody = users.mail.call("qmail-pw2u").input("me:x:5:5::/:\n").run();
    assert_eq!(
        (nobody.code, nobody.err_text().as_str()),
        (111, "qmail-pw2u: fatal: unable to find alias user\n")
    );
    fs::write(users.mail.path().join("users/subusers"), "s:nobody-here:x:\n").expect("subusers");
    let outcome = users.run(&[]);
    let message = "qmail-pw2u: fatal: unable to find nobody-here user for subuser\n";
    assert_eq!((outcome.code, outcome.out_text().as_str(), outcome.err_text().as_str()), (111, "", message));
    fs::remove_file(users.mail.path().join("users/subusers")).expect("subusers");
    fs::create_dir(users.mail.path().join("users/exclude")).expect("a directory in its place");
    let outcome = users.run(&[]);
    assert_eq!((outcome.code, outcome.out_text().as_str()), (111, ""));
    assert_eq!(outcome.err_text(), "qmail-pw2u: fatal: unable to read users/exclude: is a directory\n");
}
