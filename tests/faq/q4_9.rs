//! 4.9: with a database of users made from their passwd lines, mail for somebody whose home is away is deferred, and
//! delivered once it is back. qmail-pw2u -h makes none while a home is away.

use crate::site::Site;
use harness::{HOST, wait_until};

#[test]
fn mail_for_a_home_that_is_away_waits() {
    let Some(site) = Site::new() else { return };
    let joe = site.user("suite-q4-9");
    let (home, away) = (joe.home.display(), site.path("/var/run/away"));
    // The users of the site, whose alias has his home in it.
    let homes = "awk -F: -v OFS=: '$1 == \"alias\" { $6 = \"/var/qmail/alias\" } { print }'";
    site.types(&format!("getent passwd alias suite-q4-9 | {homes} > /var/qmail/users/passwd"));
    let pw2u = "qmail-pw2u -h < /var/qmail/users/passwd > /var/qmail/users/assign";
    site.types(&format!("mv {home} {}", away.display()));
    let (code, complaint) = site.tries(pw2u);
    assert!(code != 0 && complaint.contains("suite-q4-9"), "{code} {complaint}");
    site.types(&format!("mv {} {home}", away.display()));
    site.types(pw2u);
    site.types("qmail-newu");

    site.boots();
    let address = format!("suite-q4-9@{HOST}");
    site.types(&format!("mv {home} {}", away.display()));
    site.sends("s@src.example", &address, "patience");
    site.wait_for_text("/var/log/qmail", "delivery 1: deferral: ");
    site.types(&format!("mv {} {home}", away.display()));
    site.types(&format!("kill -ALRM {}", site.pid_of("qmail-send")));
    wait_until("it is delivered", || site.queue_is_empty());
    let mailbox = std::fs::read_to_string(joe.home.join("Mailbox")).expect("the mailbox");
    assert!(mailbox.contains("\nSubject: patience\n"));
}
