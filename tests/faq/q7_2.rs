//! 7.2: ALRM makes qmail-send try all remote messages now; under supervise `svc -a` sends it.

use crate::site::{Site, heard};
use harness::{free_port, wait_until};
use std::fs::OpenOptions;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

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

/// A host that failed to answer twice is left alone, also when the queue is run, until `qmail-tcpok` forgets that.
#[test]
fn qmail_tcpok_first_has_all_addresses_tried() {
    let Some(site) = Site::new() else { return };
    let host = site.routes("dst.example", 1);
    site.types("qmail-start ./Mailbox >>/var/log/qmail 2>&1 &");
    site.wait_for_text("/var/log/qmail", "status: local 0/");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs();
    let now = u32::try_from(now).expect("a time before 2106").to_le_bytes();
    // 127.0.0.1 timed out twenty times, the last time now: as qmail-remote writes it, qmail-tcpto(8).
    let record = [&[127, 0, 0, 1, 20, 0, 0, 0][..], &now, &[0; 4]].concat();
    let table = OpenOptions::new().write(true).open(site.path("/var/qmail/queue/lock/tcpto"));
    table.and_then(|mut table| table.write_all(&record)).expect("a record of the table");
    assert!(site.types("qmail-tcpto").starts_with("127.0.0.1 timed out "));
    site.sends("s@src.example", "joe@dst.example", "waits");
    site.wait_for_text("/var/log/qmail", "deferral: ");

    site.types("qmail-tcpok");
    assert_eq!(site.types("qmail-tcpto"), "");
    site.types(&format!("kill -ALRM {}", site.pid_of("qmail-send")));
    wait_until("the message is sent", || site.queue_is_empty());
    assert!(heard(&host).contains("\r\nSubject: waits\r\n"));
}
