//! 7.2: ALRM makes qmail-send try all remote messages now; under supervise `svc -a` sends it.

use crate::site::{Site, heard};
use harness::{free_port, wait_until};

/// A message waits because its host does not answer; the host comes back, and `run_the_queue` is typed.
fn is_tried_at_once(boot: &str, run_the_queue: &str) {
    let Some(site) = Site::new() else { return };
    let closed = free_port();
    site.write("/var/qmail/control/smtproutes", &format!("dst.example:[127.0.0.1]:{closed}\n"));
    site.types(boot);
    site.sends("s@src.example", "joe@dst.example", "waits");
    site.wait_for_text("/var/log/qmail", "deferral: ");
    site.write("/var/qmail/control/smtproutes", "");
    let host = site.routes("dst.example", 1);
    site.types(&run_the_queue.replace("PID", &site.pid_of("qmail-send").to_string()));
    // By itself it would wait for more than six minutes.
    wait_until("the message is sent", || site.queue_is_empty());
    assert!(site.read("/var/log/qmail").contains(": success: 127.0.0.1_accepted_message."));
    assert!(heard(&host).contains("\r\nSubject: waits\r\n"));
}

#[test]
fn alrm_runs_the_queue() {
    is_tried_at_once("qmail-start ./Mailbox >>/var/log/qmail 2>&1 &", "kill -ALRM PID");
}

#[test]
fn svc_runs_the_queue() {
    let boot = "mkdir /var/run/qmail; supervise /var/run/qmail qmail-start ./Mailbox >>/var/log/qmail 2>&1 &";
    is_tried_at_once(boot, "svc -a /var/run/qmail");
}
