//! 7.6: with a directory for it, supervise in front of the start script keeps qmail running, svc stops and restarts it,
//! and svstat says whether it runs.

use crate::site::Site;
use harness::{HOST, messages, wait_until};

#[test]
fn qmail_runs_under_supervise() {
    let Some(site) = Site::new() else { return };
    // The start script as it is installed, and as it is started without supervise.
    site.types("/var/qmail/rc >>/var/log/boot 2>&1 &");
    site.pid_of("qmail-send");
    site.types(&format!("kill {}", site.pid_of("qmail-send")));
    site.wait_for_end_of("qmail-send");

    // The directory, and the line of the boot script, with supervise in its PATH.
    site.types("mkdir /var/run/qmail");
    site.types("supervise /var/run/qmail /var/qmail/rc >>/var/log/boot 2>&1 &");
    let first = site.pid_of("qmail-send");
    let status = site.types("svstat /var/run/qmail");
    assert!(status.ends_with(&format!(" up pid {first}\n")), "{status}");

    // It is started again whatever ends it.
    site.types(&format!("kill -KILL {first}"));
    wait_until("another one runs", || site.pid_of("qmail-send") != first);
    let second = site.pid_of("qmail-send");
    site.types("svc -t /var/run/qmail");
    wait_until("a third one runs", || site.pid_of("qmail-send") != second);
    site.types("svc -d /var/run/qmail");
    site.wait_for_end_of("qmail-send");
    wait_until("it is down", || site.types("svstat /var/run/qmail").contains(" down"));
    site.types("svc -u /var/run/qmail");
    site.pid_of("qmail-send");
    wait_until("it is up", || site.types("svstat /var/run/qmail").contains(" up pid "));

    // And it is qmail that runs.
    site.sends("s@src.example", &format!("postmaster@{HOST}"), "hello");
    wait_until("mail is delivered", || messages(&site.path("/var/qmail/alias/Maildir")).len() == 1);
}
