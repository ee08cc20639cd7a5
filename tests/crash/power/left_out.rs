//! Whether each sync of the mail path is needed, and whether the laboratory would notice if it were missing.
//!
//! The real program runs under strace, which lets one of its calls of fsync not happen and says that it succeeded: that is the
//! program without that sync. Then power is lost, and something must be found wrong.
//!
//! Each row names a file system and a loss that show it. Not in the table are syncs without which nothing is lost on ext4 and xfs.
//! Their one journal writes names in the order in which they were made, and a later sync of anything takes all earlier names with
//! it: so much for the directories mess/R, info/R and local/R. And whoever syncs a new file there syncs its name: that is the
//! directory of a new mbox. These syncs are for file systems that promise less.

use super::deliver::Delivery;
use super::experiment::Experiment;
use super::log::Log;
use super::receive::Queue;
use super::send::Preparation;
use super::snapshots::{Restoring, Taking};
use super::tables::Table;
use crate::image::{Kind, Loss};
use crate::ledger::{Ledger, Verdict};
use crate::report::Report;
use crate::site::Recipient;
use crate::tracer::Tracer;
use harness::{installed, skipped};
use std::thread;

/// A program without one of its syncs: the one with this number, from 1.
struct LeftOut {
    sync: &'static str,
    ordinal: usize,
    experiment: Box<dyn Experiment + Sync>,
    kind: Kind,
    loss: Loss,
}

impl LeftOut {
    /// What is found wrong.
    fn found(&self) -> Vec<String> {
        let (scratch, ledger) = (harness::scratch(), Ledger::default());
        let prepared = self.experiment.prepare(self.kind);
        let mut site = prepared.copy();
        let tracer = Tracer::leaving_out(self.ordinal, scratch.path());
        let (_, running) = self.experiment.until_stopped(&mut site, &ledger, &tracer);
        assert!(tracer.has_left_out(), "{}: there was no such sync", self.sync);
        site.mount().switch_off(self.loss);
        drop(running);
        ledger.hit_all();
        let mut site = site.boot();
        let Verdict { wrong, .. } = self.experiment.recover(&mut site, &ledger);
        site.leave();
        wrong
    }
}

fn table() -> Vec<LeftOut> {
    let row = |sync, ordinal, experiment, (kind, loss)| LeftOut { sync, ordinal, experiment, kind, loss };
    let queue = || Box::new(Queue { subject: "", padding: 0 });
    let delivery = |recipient| Box::new(Delivery { subject: "", recipient, padding: 0 });
    let ext4 = (Kind::Ext4, Loss::All);
    // The contents can only be missed where the name is there.
    let ext4_with_names = (Kind::Ext4, Loss::AllButJournal);
    // ext4 writes a file that takes another one's name in any case.
    let xfs = (Kind::Xfs, Loss::All);
    vec![
        row("qmail-queue: the message", 1, queue(), ext4),
        row("qmail-queue: the envelope", 2, queue(), ext4),
        row("qmail-queue: the directory todo", 4, queue(), ext4),
        row("qmail-send: info", 1, Box::new(Preparation), ext4_with_names),
        row("qmail-send: local", 2, Box::new(Preparation), ext4_with_names),
        row("qmail-local: the file in tmp", 1, delivery(Recipient::Joe), ext4),
        row("qmail-local: the directory new", 2, delivery(Recipient::Joe), ext4),
        row("qmail-local: the mbox", 1, delivery(Recipient::Ann), ext4),
        row("qmail-newu: users/cdb.tmp", 1, Box::new(Table::newu()), xfs),
        row("qmail-newu: the directory users", 2, Box::new(Table::newu()), ext4),
        row("tcprules: the temporary file", 1, Box::new(Table::tcprules()), xfs),
        row("tcprules: the directory of the rules", 2, Box::new(Table::tcprules()), ext4),
        row("qmail-queuectl: a snapshot", 1, Box::<Taking>::default(), ext4),
        row("qmail-queuectl: a restored message", 2, Box::new(Restoring), ext4),
        row("cyclog: a complete file", 1, Box::<Log>::default(), ext4),
    ]
}

/// R8
#[test]
fn r8_each_sync_that_is_left_out_is_found() {
    if installed("strace").is_none() {
        return skipped("power: strace is not installed");
    }
    let kinds = Kind::all();
    let rows: Vec<LeftOut> = table().into_iter().filter(|row| kinds.contains(&row.kind)).collect();
    if rows.is_empty() {
        return;
    }
    let mut report = Report::new("left out", "each sync, to be found by power");
    // At once: a queue that is stuck is found by waiting for it, and waiting takes no processor.
    let found: Vec<Vec<String>> = thread::scope(|scope| {
        let searches: Vec<_> = rows.iter().map(|row| scope.spawn(|| row.found())).collect();
        searches.into_iter().map(|search| search.join().expect("a search that ends")).collect()
    });
    for (row, found) in rows.iter().zip(found) {
        report.points(1);
        let wrong = if found.is_empty() { vec!["nobody notices".to_owned()] } else { Vec::new() };
        report.judged(row.sync, Verdict { extra_copies: 0, wrong });
    }
    report.finish();
}
