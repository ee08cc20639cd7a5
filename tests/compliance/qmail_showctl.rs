//! `qmail-showctl`.

use harness::{MailHome, Outcome};
use std::fs;

fn show(home: &MailHome) -> Outcome {
    home.call("qmail-showctl").run()
}

/// What is said about one file.
fn about(home: &MailHome, name: &str) -> String {
    let text = show(home).out_text();
    let start = format!("\n\n{name}: ");
    let (_, after) = text.split_once(&start).unwrap_or_else(|| panic!("nothing about {name} in {text}"));
    after.split("\n\n").next().unwrap_or(after).trim_end().to_owned()
}

#[test]
fn an_installation_without_control_files_is_explained_with_its_defaults() {
    let home = MailHome::new([]);
    let outcome = show(&home);
    let text = outcome.out_text();
    assert_eq!(outcome.code, 0);
    let (installation, files) = text.split_once("\n\n").expect("an installation and its files");
    let lines: Vec<&str> = installation.lines().collect();
    assert_eq!(lines[0], format!("qmail home directory: {}.", home.path().display()));
    let constants =
        ["user-ext delimiter: -.", "paternalism (in decimal): 2.", "silent concurrency limit: 120."];
    assert_eq!(lines[1..4], constants);
    assert_eq!(lines[4], "subdirectory split: 23.");
    assert!(lines[5].starts_with("user ids: ") && lines[6].starts_with("group ids: "));
    assert_eq!(files, DEFAULTS);
}

#[test]
fn values_lists_and_numbers_are_shown_as_they_are_read() {
    let home = MailHome::new([
        ("me", &b"m.example\n"[..]),
        ("databytes", b"5000x\n"),
        ("queuelifetime", b"-5\n"),
        ("smtpgreeting", b"m \xe9\x1b two \n"),
        ("badmailfrom", b"# nobody\n@a.example \nb@c\n"),
        ("rcpthosts", b""),
        ("smtproutes", b":relay\n"),
        ("stray", b""),
    ]);
    assert_eq!(about(&home, "me"), "My name is m.example.");
    assert_eq!(about(&home, "helohost"), "(Default.) SMTP client HELO host name is m.example.");
    assert_eq!(about(&home, "databytes"), "SMTP DATA limit is 5000 bytes.");
    assert_eq!(about(&home, "queuelifetime"), "(Default.) Message lifetime in the queue is 604800 seconds.");
    assert_eq!(about(&home, "smtpgreeting"), "SMTP greeting: 220 m ?? two.");
    assert_eq!(
        about(&home, "badmailfrom"),
        "\n@a.example not accepted in MAIL FROM.\nb@c not accepted in MAIL FROM."
    );
    assert_eq!(about(&home, "rcpthosts"), "");
    assert_eq!(about(&home, "smtproutes"), "\nSMTP route: :relay");
    assert_eq!(about(&home, "stray"), "I have no idea what this file does.");
}

#[test]
fn settings_that_the_original_has_built_in_are_shown_in_its_place_for_them() {
    let home = MailHome::new([
        ("me", &b"m.example\n"[..]),
        ("conf-break", b"+\n"),
        ("conf-spawn", b"500\n"),
        ("conf-split", b"31\n"),
        ("queueextra", b"log\n"),
        ("bouncedsn", b"1\n"),
        ("rcptcheck", b"0\n"),
    ]);
    let text = show(&home).out_text();
    let built_in = "user-ext delimiter: +.\npaternalism (in decimal): 2.\nsilent concurrency limit: 500.\n\
        subdirectory split: 31.\n";
    assert!(text.contains(built_in), "{text}");
    assert_eq!(about(&home, "conf-break"), "The user-ext delimiter is the first of: +.");
    assert_eq!(about(&home, "conf-spawn"), "Concurrencies are at most 500.");
    assert_eq!(about(&home, "conf-split"), "The queue is split into 31 parts.");
    assert_eq!(about(&home, "queueextra"), "\nEvery message also goes to log.");
    assert_eq!(about(&home, "bouncedsn"), "Bounces have parts for programs (RFC 3464).");
    assert_eq!(about(&home, "rcptcheck"), "Switched off: SMTP clients may send to any local recipient.");
    home.control("conf-split", b"0\n");
    assert!(show(&home).out_text().contains("\nsubdirectory split: ?.\n"));
}

#[test]
fn more_hosts_are_explained_by_what_is_there() {
    let home = MailHome::new([("rcpthosts", &b"a\n"[..]), ("morercpthosts", b"b\n")]);
    assert_eq!(about(&home, "morercpthosts"), "\nSMTP clients may send messages to recipients at b.");
    assert_eq!(
        about(&home, "morercpthosts.cdb"),
        "Oops! morercpthosts exists but morercpthosts.cdb doesn't."
    );
    home.control("morercpthosts.cdb", b"");
    assert_eq!(about(&home, "morercpthosts.cdb"), "Modified recently enough; hopefully up to date.");
    let old = fs::File::open(home.path().join("control/morercpthosts.cdb")).expect("the database");
    old.set_modified(std::time::UNIX_EPOCH).expect("an old database");
    assert_eq!(about(&home, "morercpthosts.cdb"), "Oops! morercpthosts.cdb is older than morercpthosts.");
    fs::remove_file(home.path().join("control/rcpthosts")).expect("no rcpthosts");
    assert_eq!(about(&home, "morercpthosts"), "\nNo rcpthosts; doesn't matter that morercpthosts has b.");
    fs::remove_file(home.path().join("control/morercpthosts")).expect("no morercpthosts");
    assert_eq!(about(&home, "morercpthosts"), "(Default.) No rcpthosts; morercpthosts is irrelevant.");
    assert_eq!(
        about(&home, "morercpthosts.cdb"),
        "Oops! morercpthosts.cdb exists but morercpthosts doesn't."
    );
}

#[test]
fn our_own_control_files_are_explained_where_they_are_there() {
    let home = MailHome::new([("maxrecipients", &b"5\n"[..])]);
    assert_eq!(about(&home, "maxrecipients"), "SMTP recipient limit is 5 per message.");
    assert!(!show(&home).out_text().contains("smtpdbarecr"));
}

#[test]
fn what_cannot_be_read_is_said() {
    let home = MailHome::new([]);
    let control = home.path().join("control");
    fs::create_dir(control.join("locals")).expect("a directory in the way");
    assert_eq!(about(&home, "locals"), "Oops! Trouble reading this file.");
    fs::create_dir(control.join("me")).expect("a directory in the way");
    let outcome = show(&home);
    assert_eq!(outcome.code, 111);
    assert!(outcome.out_text().ends_with("Oops! Trouble reading control/me."));
    fs::remove_dir_all(&control).expect("no control files");
    let outcome = show(&home);
    assert_eq!(outcome.code, 111);
    assert!(outcome.out_text().ends_with("Oops! Unable to chdir to control.\n"));
}

const DEFAULTS: &str = "\
badmailfrom: (Default.) Any MAIL FROM is allowed.

bouncefrom: (Default.) Bounce user name is MAILER-DAEMON.

bouncehost: (Default.) Bounce host name is bouncehost.

concurrencylocal: (Default.) Local concurrency is 10.

concurrencyremote: (Default.) Remote concurrency is 20.

databytes: (Default.) SMTP DATA limit is 0 bytes.

defaultdomain: (Default.) Default domain name is defaultdomain.

defaulthost: (Default.) Default host name is defaulthost.

doublebouncehost: (Default.) 2B recipient host: doublebouncehost.

doublebounceto: (Default.) 2B recipient user: postmaster.

envnoathost: (Default.) Presumed domain name is envnoathost.

helohost: (Default.) SMTP client HELO host name is helohost.

idhost: (Default.) Message-ID host name is idhost.

localiphost: (Default.) Local IP address becomes localiphost.

locals: (Default.) Messages for me are delivered locally.

me: (Default.) My name is undefined! Uh-oh.

percenthack: (Default.) The percent hack is not allowed.

plusdomain: (Default.) Plus domain name is plusdomain.

qmqpservers: (Default.) No QMQP servers.

queuelifetime: (Default.) Message lifetime in the queue is 604800 seconds.

rcpthosts: (Default.) SMTP clients may send messages to any recipient.

morercpthosts: (Default.) No rcpthosts; morercpthosts is irrelevant.

morercpthosts.cdb: (Default.) No effect.

smtpgreeting: (Default.) SMTP greeting: 220 smtpgreeting.

smtproutes: (Default.) No artificial SMTP routes.

timeoutconnect: (Default.) SMTP client connection timeout is 60 seconds.

timeoutremote: (Default.) SMTP client data timeout is 1200 seconds.

timeoutsmtpd: (Default.) SMTP server data timeout is 1200 seconds.

virtualdomains: (Default.) No virtual domains.
";
