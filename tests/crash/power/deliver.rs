//! qmail-local, which may say that it has delivered a message only when that is on disk.

use super::experiment::{Experiment, try_points};
use crate::ledger::{Ledger, Number, Verdict};
use crate::site::{Recipient, Site, sender, with_padding};
use crate::tracer::{Tracer, strace};
use harness::{HOST, Running};
use std::process::Command;

/// A delivery, after another one that had succeeded. If no success was reported the delivery is repeated.
pub struct Delivery {
    pub subject: &'static str,
    pub recipient: Recipient,
    pub padding: usize,
}

impl Delivery {
    fn command(&self, site: &Site) -> Command {
        let mut command = site.instance.command(&site.instance.path("bin/qmail-local"));
        let address = self.recipient.address();
        let (local, _) = address.split_once('@').expect("an address");
        command.args(["--", "alias"]).arg(site.instance.path("alias"));
        command.args([local, "-", local, HOST, &sender(), "./Mailbox"]);
        command
    }

    fn start(&self, site: &Site, command: &mut Command, number: Number) -> Running {
        site.instance.start_queue(command, with_padding(self.padding, number).as_bytes(), b"")
    }

    fn deliver(&self, site: &Site, ledger: &Ledger, number: Number) {
        if self.start(site, &mut self.command(site), number).wait() == 0 {
            ledger.acknowledge(number);
        }
    }
}

impl Experiment for Delivery {
    fn subject(&self) -> &'static str {
        self.subject
    }

    fn until_stopped(&self, site: &mut Site, ledger: &Ledger, tracer: &Tracer) -> (bool, Vec<Running>) {
        self.deliver(site, ledger, ledger.draw());
        let number = ledger.draw();
        let mut command = tracer.around(&self.command(site), site.instance.command(&strace()));
        let mut running = self.start(site, &mut command, number);
        let came = tracer.waits(|| !running.is_alive());
        if !running.is_alive() && running.wait() == 0 {
            ledger.acknowledge(number);
        }
        (came, vec![running])
    }

    fn recover(&self, site: &mut Site, ledger: &Ledger) -> Verdict {
        for number in ledger.unacknowledged() {
            self.deliver(site, ledger, number);
        }
        site.judge(ledger, |_, recipient| recipient == self.recipient)
    }
}

/// R8
#[test]
fn r8_no_message_is_lost_if_power_is_lost_in_a_delivery_to_a_maildir() {
    try_points(&Delivery { subject: "qmail-local, maildir", recipient: Recipient::Joe, padding: 0 }, 4);
}

/// R8
#[test]
fn r8_no_message_is_lost_if_power_is_lost_in_a_delivery_to_an_mbox() {
    try_points(&Delivery { subject: "qmail-local, mbox", recipient: Recipient::Ann, padding: 0 }, 4);
}

/// R8
#[test]
fn r8_no_message_is_lost_if_power_is_lost_in_a_long_delivery_to_an_mbox() {
    try_points(
        &Delivery { subject: "qmail-local, mbox, 300 kB", recipient: Recipient::Ann, padding: 300 },
        4,
    );
}
