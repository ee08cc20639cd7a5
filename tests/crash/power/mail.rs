//! The programs of the mail path, from the one that takes a message to those that deliver it.

use super::experiment::{Experiment, try_points};
use super::tracer::Tracer;
use crate::ledger::{Ledger, Number, Verdict};
use crate::site::{Recipient, Site, sender};
use harness::Running;
use std::process::Stdio;

/// Whoever recovers has everything delivered, and each message has arrived where it should.
fn deliver_and_judge(site: &mut Site, ledger: &Ledger) -> Verdict {
    let stuck = site.deliver_everything().err().into_iter().collect();
    site.judge(ledger, |_, _| true).and(Verdict { extra_copies: 0, wrong: stuck })
}

/// Queues a message for everybody, as a sender that notes what it was told.
fn send(site: &Site, ledger: &Ledger) {
    let number = ledger.draw();
    let addresses = Recipient::ALL.map(Recipient::address);
    let recipients: Vec<&str> = addresses.iter().map(String::as_str).collect();
    if site.instance.enqueue(&sender(), &recipients, number.text()) == 0 {
        ledger.acknowledge(number);
    }
}

/// qmail-queue, called once, beside a message that is queued already.
struct Queue;

impl Experiment for Queue {
    fn subject(&self) -> &'static str {
        "qmail-queue"
    }

    fn until_stopped(&self, site: &mut Site, ledger: &Ledger, tracer: &Tracer) -> (bool, Vec<Running>) {
        send(site, ledger);
        let number: Number = ledger.draw();
        let mut command =
            tracer.around(&site.instance.queue_command(), site.instance.command(&super::tracer::strace()));
        let mut running = site.instance.start_queue(&mut command, number.text().as_bytes(), &everybody());
        let came = tracer.waits(|| !running.is_alive());
        if !running.is_alive() && running.wait() == 0 {
            ledger.acknowledge(number);
        }
        (came, vec![running])
    }

    fn recover(&self, site: &mut Site, ledger: &Ledger) -> Verdict {
        deliver_and_judge(site, ledger)
    }
}

/// The envelope of a message for everybody.
fn everybody() -> Vec<u8> {
    let recipients: String =
        Recipient::ALL.iter().map(|recipient| format!("T{}\0", recipient.address())).collect();
    format!("F{}\0{recipients}\0", sender()).into_bytes()
}

/// R8
#[test]
fn r8_power_is_lost_in_qmail_queue() {
    try_points(&Queue, 16);
}
