//! A disk that had kept some of the writes since its last flush and lost others, as one with a cache may.
//!
//! The writes of a session are recorded below the file system, with its flushes and with the moments at which the queue had
//! acknowledged a message. A point is an image made of such a log: cut off at some event, with all that was flushed before, and
//! a random part of the rest: none, all, all but one write, one alone, some writes, some pages, some sectors. Each image is
//! mounted, which replays its journal; the mail system is started on it and delivers everything; then each message that
//! was acknowledged before the cut has to be there.

mod cut;
mod recorder;
mod session;

use crate::image::{Image, Kind};
use crate::ledger::Verdict;
use crate::report::{Report, Scope};
use cut::{Cut, apply};
use harness::{Random, installed, skipped};
use session::{Recorded, Stage};

/// How many sessions, and images of each.
struct Plan {
    sessions: usize,
    images: usize,
}

impl Plan {
    fn of(whole: Plan, sample: Plan) -> Plan {
        if Scope::of_this_run() == Scope::Whole { whole } else { sample }
    }
}

fn try_images(kind: Kind, seed: u64, plan: &Plan) {
    if !Kind::all().contains(&kind) {
        return;
    }
    let stage = Stage::new(kind);
    let mut report = Report::new("reordering", format!("{} from seed {seed}", kind.name()));
    for session in 0..plan.sessions {
        let mut random = Random::new(seed + u64::try_from(session).expect("a few sessions"));
        let recorded = match stage.record(&mut random, None) {
            Ok(recorded) => recorded,
            Err(why) => return skipped(&format!("reordering on {}: no FUSE: {why}", kind.name())),
        };
        let cuts = Cut::draw(&recorded.events, plan.images, &mut random);
        try_cuts(&stage, &recorded, &cuts, |cut, acknowledged, verdict| {
            report.points(1);
            report.acknowledged(acknowledged);
            report.judged(&format!("seed {seed}, session {session}, {cut}"), verdict);
        });
    }
    report.finish();
}

/// Makes the images in the order of their cuts, and judges each.
fn try_cuts(stage: &Stage, recorded: &Recorded, cuts: &[Cut], mut judged: impl FnMut(&Cut, usize, Verdict)) {
    let base_directory = harness::scratch_in_memory();
    let base = Image::of(stage.prepared.image().kind(), base_directory.path().join("base"));
    base.become_copy_of(stage.prepared.image());
    let mut done = 0;
    for cut in cuts {
        apply(&recorded.events, done..cut.flushed(), base.file());
        done = cut.flushed();
        let directory = harness::scratch_in_memory();
        let image = Image::of(base.kind(), directory.path().join("image"));
        image.become_copy_of(&base);
        cut.complete(&recorded.events, image.file());
        let ledger = session::ledger();
        cut.acknowledged(&recorded.events).for_each(|number| ledger.acknowledge(number));
        ledger.hit_all();
        let mut site = stage.prepared.on(directory, image);
        let stuck = site.instance.deliver_everything().err().into_iter().collect();
        let verdict = site.judge(&ledger, session::has).and(Verdict { extra_copies: 0, wrong: stuck });
        site.leave();
        judged(cut, ledger.acknowledged().len(), verdict);
    }
}

/// R8
#[test]
fn r8_a_disk_that_lost_some_writes_has_every_acknowledged_message_on_ext4() {
    try_images(
        Kind::Ext4,
        1,
        &Plan::of(Plan { sessions: 10, images: 300 }, Plan { sessions: 1, images: 40 }),
    );
}

/// R8
#[test]
fn r8_a_disk_that_lost_other_writes_has_every_acknowledged_message_on_ext4() {
    try_images(
        Kind::Ext4,
        1001,
        &Plan::of(Plan { sessions: 10, images: 300 }, Plan { sessions: 1, images: 40 }),
    );
}

/// R8
#[test]
fn r8_a_disk_that_lost_some_writes_has_every_acknowledged_message_on_xfs() {
    try_images(
        Kind::Xfs,
        2001,
        &Plan::of(Plan { sessions: 4, images: 500 }, Plan { sessions: 1, images: 25 }),
    );
}

/// R8: qmail-queue without its sync of the message, and without its sync of todo.
#[test]
fn r8_a_queue_that_acknowledges_before_its_sync_is_found() {
    if !Kind::all().contains(&Kind::Ext4) {
        return;
    }
    if installed("strace").is_none() {
        return skipped("reordering without syncs: strace is not installed");
    }
    let stage = Stage::new(Kind::Ext4);
    let mut report = Report::new("left out", "syncs of qmail-queue, to be found by reordering");
    for (sync, ordinal) in [("the message", 1), ("the directory todo", 4)] {
        let mut random = Random::new(3001);
        let Ok(recorded) = stage.record(&mut random, Some(ordinal)) else {
            return skipped("reordering without syncs: no FUSE");
        };
        let cuts = Cut::behind_acknowledgements(&recorded.events, &mut random);
        let mut found = Vec::new();
        try_cuts(&stage, &recorded, &cuts, |_, _, verdict| found.extend(verdict.wrong));
        report.points(1);
        let wrong = if found.is_empty() { vec!["nobody notices".to_owned()] } else { Vec::new() };
        report.judged(sync, Verdict { extra_copies: 0, wrong });
    }
    report.finish();
}
