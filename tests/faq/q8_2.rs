//! 8.2: a copy of every message. control/queueextra names a recipient that every message gets, where the original had to be
//! built anew; an alias keeps what comes, or has awk write the Message-ID into the log.

use crate::site::{Site, heard};
use harness::HOST;

/// The line of the answer.
const AWK: &str = r"| awk '/^$/ { exit } /^[mM][eE][sS][sS][aA][gG][eE]-/ { print }'";

#[test]
fn every_message_is_copied() {
    let Some(site) = Site::new() else { return };
    let far = site.routes("far.example", 1);
    site.types("echo log > /var/qmail/control/queueextra; echo ./msg-log > /var/qmail/alias/.qmail-log");
    site.boots();
    let port = site.serves_smtp("-RHl0").to_string();
    site.sends("s@src.example", "joe@far.example", "goes out");
    let Some(swaks) = harness::installed("swaks") else { return harness::skipped("swaks is not installed") };
    let call =
        harness::Call::path(&swaks).args(["--server", "127.0.0.1", "--port", &port, "--timeout", "30"]);
    let call = call.args(["--from", "s@src.example", "--to", &format!("postmaster@{HOST}")]);
    assert_eq!(call.args(["--helo", "c.example", "--header", "Subject: comes in"]).run().code, 0);
    site.sends(&format!("postmaster@{HOST}"), &format!("nobody-here@{HOST}"), "bounces");
    site.wait_for_text("/var/qmail/alias/Mailbox", "\nSubject: failure notice\n");
    site.delivers_all();
    let log = site.read("/var/qmail/alias/msg-log");
    // The bounce, too, is a message.
    assert_eq!(log.matches("\nDelivered-To: log@").count(), 4, "{log}");
    for subject in ["goes out", "comes in", "bounces", "failure notice"] {
        assert!(log.contains(&format!("\nSubject: {subject}\n")), "{subject} in {log}");
    }
    // Nobody else sees that there is one more recipient.
    assert!(heard(&far).contains("\r\nSubject: goes out\r\n"));
    assert!(!site.postmasters_mailbox().contains("Delivered-To: log@"));
}

#[test]
fn awk_puts_the_message_id_into_the_log() {
    let Some(site) = Site::new() else { return };
    site.types("echo log > /var/qmail/control/queueextra");
    site.write("/var/qmail/alias/.qmail-log", &format!("{AWK}\n"));
    site.boots();
    let message =
        format!("To: postmaster@{HOST}\nMESSAGE-Id: <one@src.example>\n\nMessage-ID: <no@src.example>\n");
    site.types(&format!("printf '{}' | /var/qmail/bin/qmail-inject", message.replace('\n', "\\n")));
    site.delivers_all();
    let log = site.read("/var/log/qmail");
    assert!(log.contains(": success: MESSAGE-Id:_<one@src.example>/did_0+0+1/\n"), "{log}");
    assert!(!log.contains("no@src.example"), "{log}");
}
