//! 7.1: qmail-send can be killed at any time. It lets deliveries that go on end, logs that it exits, and starts again as it
//! did at boot, with nothing lost and nothing delivered twice. Under supervise svc does the same: -t restarts it, -d stops it, -u
//! starts it.

use crate::site::{Site, pause};
use harness::{HOST, messages, wait_until};

/// How the manager is started at boot, with its log in a file.
const BOOT: &str = "/var/qmail/rc >>/var/log/qmail 2>&1 &";

/// A site whose alias `slow` has a delivery that goes on until there is a file `go`.
fn site() -> Option<Site> {
    let site = Site::new()?;
    site.write_program(
        "/var/qmail/rc",
        "#!/bin/sh\nexec env - PATH=\"/var/qmail/bin:$PATH\" qmail-start ./Maildir/\n",
    );
    let slow = "|echo begun >>slow.begun; while ! test -e go; do sleep 0.1; done; cat >>slow.got\n";
    site.write("/var/qmail/alias/.qmail-slow", slow);
    site.write("/var/qmail/alias/.qmail-joe", "./joe/\n");
    site.types("cd /var/qmail/alias && maildirmake joe && chown -R alias joe");
    Some(site)
}

/// A delivery goes on while `stop` is typed, and ends well; afterwards nothing is left of it.
fn stops_safely(site: &Site, stop: &str) {
    site.sends("s@src.example", &format!("slow@{HOST}"), "slow");
    site.wait_for_text("/var/qmail/alias/slow.begun", "begun\n");
    let pid = site.pid_of("qmail-send");
    site.types(&stop.replace("PID", &pid.to_string()));
    pause();
    assert_eq!(site.pid_of("qmail-send"), pid, "it waits for the delivery");
    assert!(!site.read("/var/log/qmail").contains("exiting"), "{}", site.read("/var/log/qmail"));
    // What comes now waits for the next start.
    site.sends("s@src.example", &format!("joe@{HOST}"), "later");
    site.types("touch /var/qmail/alias/go");
    site.wait_for_text("/var/log/qmail", "status: exiting\n");
    wait_until("that process has ended", || !std::path::Path::new(&format!("/proc/{pid}")).exists());
}

/// What was under way was delivered once, and what waited is delivered now.
fn lost_nothing(site: &Site) {
    let joe = site.path("/var/qmail/alias/joe");
    wait_until("the message that waited is delivered", || !messages(&joe).is_empty());
    wait_until("the queue is empty", || site.queue_is_empty());
    assert_eq!(messages(&joe).len(), 1);
    assert_eq!(site.read("/var/qmail/alias/slow.begun"), "begun\n", "{}", site.read("/var/log/qmail"));
    assert_eq!(site.read("/var/qmail/alias/slow.got").matches("Subject: slow\n").count(), 1);
}

#[test]
fn qmail_send_is_killed_and_run_again() {
    let Some(site) = site() else { return };
    site.types(BOOT);
    stops_safely(&site, "kill PID");
    for program in ["qmail-send", "qmail-lspawn", "qmail-rspawn", "qmail-clean"] {
        site.wait_for_end_of(program);
    }
    assert!(messages(&site.path("/var/qmail/alias/joe")).is_empty());
    site.types(BOOT);
    lost_nothing(&site);
}

#[test]
fn svc_restarts_it_and_stops_it_and_starts_it() {
    let Some(site) = site() else { return };
    site.types("mkdir /var/run/qmail; supervise /var/run/qmail /var/qmail/rc >>/var/log/qmail 2>&1 &");
    stops_safely(&site, "svc -t /var/run/qmail");
    lost_nothing(&site);
    let pid = site.pid_of("qmail-send");
    site.types("svc -d /var/run/qmail");
    site.wait_for_end_of("qmail-send");
    pause();
    assert!(site.types("svstat /var/run/qmail").contains(" down"));
    site.sends("s@src.example", &format!("joe@{HOST}"), "while it is down");
    assert_eq!(messages(&site.path("/var/qmail/alias/joe")).len(), 1);
    site.types("svc -u /var/run/qmail");
    assert_ne!(site.pid_of("qmail-send"), pid);
    wait_until("it is delivered", || messages(&site.path("/var/qmail/alias/joe")).len() == 2);
}
