//! The programs that take messages: qmail-queue, and qmail-smtpd before it.

use super::experiment::{Experiment, try_points};
use crate::ledger::{Ledger, Verdict};
use crate::site::{Recipient, Site, envelope, sender, with_padding};
use crate::smtp_session::session;
use crate::tracer::{Tracer, strace};
use harness::Running;
use std::fs::File;
use std::process::Stdio;

/// qmail-queue, called once, beside a message that is queued already.
pub struct Queue {
    pub subject: &'static str,
    pub padding: usize,
}

impl Experiment for Queue {
    fn subject(&self) -> &'static str {
        self.subject
    }

    fn until_stopped(&self, site: &mut Site, ledger: &Ledger, tracer: &Tracer) -> (bool, Vec<Running>) {
        site.send(ledger);
        let number = ledger.draw();
        let text = with_padding(self.padding, number);
        let under_strace = site.instance.command(&strace());
        let mut command = tracer.around(&site.instance.queue_command(), under_strace);
        let mut running =
            site.instance.start_queue(&mut command, text.as_bytes(), &envelope(&Recipient::ALL));
        let came = tracer.waits(|| !running.is_alive());
        if !running.is_alive() && running.wait() == 0 {
            ledger.acknowledge(number);
        }
        (came, vec![running])
    }

    fn recover(&self, site: &mut Site, ledger: &Ledger) -> Verdict {
        site.deliver_and_judge(ledger)
    }
}

/// A session of qmail-smtpd with two messages. The client believes each 250, as soon as it has read it.
struct Smtp;

const MESSAGES: usize = 2;

impl Experiment for Smtp {
    fn subject(&self) -> &'static str {
        "qmail-smtpd and its qmail-queue"
    }

    fn until_stopped(&self, site: &mut Site, ledger: &Ledger, tracer: &Tracer) -> (bool, Vec<Running>) {
        let recipients = Recipient::ALL.map(Recipient::address);
        let numbers: Vec<_> = (0..MESSAGES).map(|_| ledger.draw()).collect();
        let said = site.instance.beside("client.in");
        std::fs::write(&said, session(&numbers, &sender(), &recipients)).expect("a session");
        let heard = site.instance.beside("client.out");
        let smtpd = site.instance.command(&site.instance.path("bin/qmail-smtpd"));
        let mut command = tracer.around(&smtpd, site.instance.command(&strace()));
        command.stdin(File::open(&said).expect("the session")).stderr(Stdio::null());
        command.stdout(File::create(&heard).expect("a file for the replies"));
        let mut running = Running::start(&mut command);
        let came = tracer.waits(|| !running.is_alive());
        let replies = std::fs::read_to_string(&heard).expect("the replies");
        let accepted = replies.lines().filter(|reply| reply.starts_with("250 ok ") && reply.contains(" qp "));
        numbers.iter().zip(accepted).for_each(|(number, _)| ledger.acknowledge(*number));
        (came, vec![running])
    }

    fn recover(&self, site: &mut Site, ledger: &Ledger) -> Verdict {
        site.deliver_and_judge(ledger)
    }
}

/// R8
#[test]
fn r8_no_message_is_lost_if_power_is_lost_in_qmail_queue() {
    try_points(&Queue { subject: "qmail-queue", padding: 0 }, 8);
}

/// R8
#[test]
fn r8_no_message_is_lost_if_power_is_lost_in_qmail_queue_with_a_long_message() {
    try_points(&Queue { subject: "qmail-queue, 300 kB", padding: 300 }, 4);
}

/// R8
#[test]
fn r8_no_message_is_lost_if_power_is_lost_in_qmail_smtpd() {
    try_points(&Smtp, 8);
}
