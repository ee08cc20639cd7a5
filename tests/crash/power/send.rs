//! The queue manager and its cleaner, while messages are accepted, prepared, delivered, bounced and removed.

use super::experiment::{Experiment, try_points};
use crate::ledger::{Ledger, Verdict};
use crate::site::Site;
use crate::tracer::Tracer;
use harness::Running;

/// A program that runs as long as the mail system does.
struct Daemon {
    name: &'static str,
}

/// So many messages that there is always one that is older than the one that is hit.
const MESSAGES: usize = 2;

impl Experiment for Daemon {
    fn subject(&self) -> &'static str {
        self.name
    }

    fn until_stopped(&self, site: &mut Site, ledger: &Ledger, tracer: &Tracer) -> (bool, Vec<Running>) {
        site.instance.start();
        let pid = site.instance.pid_of(self.name).expect("a process to trace");
        let strace = tracer.attach(pid);
        (0..MESSAGES).for_each(|_| site.send(ledger));
        let came = tracer.waits(|| site.instance.queue().is_empty());
        (came, vec![strace])
    }

    fn recover(&self, site: &mut Site, ledger: &Ledger) -> Verdict {
        site.deliver_and_judge(ledger)
    }
}

/// qmail-send has prepared a message and has had its todo file removed, and begins no delivery.
pub struct Preparation;

impl Experiment for Preparation {
    fn subject(&self) -> &'static str {
        "qmail-send, preparing"
    }

    fn until_stopped(&self, site: &mut Site, ledger: &Ledger, tracer: &Tracer) -> (bool, Vec<Running>) {
        site.instance.write("control/concurrencylocal", "0\n");
        site.mount().sync();
        site.instance.start();
        let strace = tracer.attach(site.instance.pid_of("qmail-send").expect("a qmail-send that runs"));
        site.send(ledger);
        let came = tracer.waits(|| !site.instance.queue().iter().any(|name| name.starts_with("todo/")));
        (came, vec![strace])
    }

    fn recover(&self, site: &mut Site, ledger: &Ledger) -> Verdict {
        std::fs::remove_file(site.instance.path("control/concurrencylocal")).expect("the control file");
        site.deliver_and_judge(ledger)
    }
}

/// R8
#[test]
fn r8_no_message_is_lost_if_power_is_lost_in_qmail_send() {
    try_points(&Daemon { name: "qmail-send" }, 12);
}

/// R8
#[test]
fn r8_no_message_is_lost_if_power_is_lost_in_qmail_clean() {
    try_points(&Daemon { name: "qmail-clean" }, 4);
}
