//! One program, and what happens at each of its points: up to the stop, the power cut, the recovery, the judgement.

use crate::image::{Kind, Loss};
use crate::ledger::{Ledger, Verdict};
use crate::report::{Report, Scope};
use crate::site::{Prepared, Site};
use crate::tracer::{Point, Tracer};
use harness::{Running, installed, skipped};

/// What differs between programs.
pub trait Experiment {
    /// The name of the program, and how it is used.
    fn subject(&self) -> &'static str;

    /// The file system before each point.
    fn prepare(&self, kind: Kind) -> Prepared {
        Prepared::new(kind)
    }

    /// Does what the program is for, until it has stopped (true) or everything is done; and who still runs.
    fn until_stopped(&self, site: &mut Site, ledger: &Ledger, tracer: &Tracer) -> (bool, Vec<Running>);

    /// What a system that has lost power does when it is there again, and whether everything is as it must be.
    fn recover(&self, site: &mut Site, ledger: &Ledger) -> Verdict;
}

/// Tries the points of a program on each file system, about `sample` of them in a sample.
pub fn try_points(experiment: &dyn Experiment, sample: usize) {
    if installed("strace").is_none() {
        return skipped("power: strace is not installed");
    }
    for kind in Kind::all() {
        let prepared = experiment.prepare(kind);
        let points = recorded(experiment, &prepared);
        let all =
            Loss::EACH.into_iter().flat_map(|loss| points.iter().map(move |point| (loss, point.clone())));
        let subject = format!("{} on {}", experiment.subject(), kind.name());
        let mut report = Report::new("power", subject);
        for (loss, point) in Scope::of_this_run().of(all.collect(), sample) {
            try_point(experiment, &prepared, loss, &point, &mut report);
        }
        report.finish();
    }
}

fn recorded(experiment: &dyn Experiment, prepared: &Prepared) -> Vec<Point> {
    let scratch = harness::scratch();
    let tracer = Tracer::recording(scratch.path());
    let mut site = prepared.copy();
    let running = experiment.until_stopped(&mut site, &Ledger::default(), &tracer);
    drop(running);
    site.leave();
    tracer.points()
}

fn try_point(
    experiment: &dyn Experiment,
    prepared: &Prepared,
    loss: Loss,
    point: &Point,
    report: &mut Report,
) {
    let (scratch, ledger) = (harness::scratch_in_memory(), Ledger::default());
    let tracer = Tracer::stopping_at(point, scratch.path());
    let mut site = prepared.copy();
    let (came, running) = experiment.until_stopped(&mut site, &ledger, &tracer);
    if !came {
        drop(running);
        return site.leave();
    }
    site.mount().switch_off(loss);
    drop(running);
    ledger.hit_all();
    let mut site = site.boot();
    let verdict = experiment.recover(&mut site, &ledger);
    report.points(1);
    report.acknowledged(ledger.acknowledged().len());
    report.judged(&format!("{point}, {}", loss.name()), verdict);
    site.leave();
}
