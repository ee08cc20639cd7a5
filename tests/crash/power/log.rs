//! cyclog: a log file that has become read-only is complete and on disk.

use super::experiment::{Experiment, try_points};
use crate::image::Kind;
use crate::ledger::{Ledger, Verdict};
use crate::site::{Prepared, Site};
use crate::tracer::{Tracer, strace};
use harness::{Call, Instance, Running};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::sync::Mutex;

/// Lines for several files. `complete` are those that were read-only a moment before the power cut.
#[derive(Default)]
pub struct Log {
    complete: Mutex<BTreeMap<String, String>>,
}

const OPTIONS: [&str; 3] = ["-s600", "-m100", "-n9"];

impl Experiment for Log {
    fn subject(&self) -> &'static str {
        "cyclog"
    }

    fn prepare(&self, kind: Kind) -> Prepared {
        Prepared::with(kind, |instance| {
            let made = instance.call("maildirmake").arg(instance.path("alias/log")).run();
            assert_eq!(made.code, 0, "a directory of the owner's");
        })
    }

    fn until_stopped(&self, site: &mut Site, ledger: &Ledger, tracer: &Tracer) -> (bool, Vec<Running>) {
        let number = ledger.draw();
        let lines: String = (0..400).map(|line| format!("{line}\n")).collect();
        let input = site.instance.beside("lines");
        fs::write(&input, lines).expect("lines to log");
        let mut cyclog = site.instance.command(&site.instance.path("bin/cyclog"));
        cyclog.args(OPTIONS).arg(site.instance.path("alias/log"));
        let mut command = tracer.around(&cyclog, site.instance.command(&strace()));
        command.stdin(File::open(&input).expect("the lines")).stderr(Stdio::null());
        let mut running = Running::start(&mut command);
        let came = tracer.waits(|| !running.is_alive());
        if !running.is_alive() && running.wait() == 0 {
            ledger.acknowledge(number);
        }
        *self.complete.lock().expect("the files") = read_only_files(&site.instance);
        (came, vec![running])
    }

    fn recover(&self, site: &mut Site, _: &Ledger) -> Verdict {
        let complete = self.complete.lock().expect("the files").clone();
        let mut wrong = differences("after the cut", &complete, &site.instance);
        // None that is read-only now was not so before: the mode is the last thing that becomes true of a file.
        let unknown = read_only_files(&site.instance).into_keys().filter(|name| !complete.contains_key(name));
        wrong.extend(unknown.map(|name| format!("{name} is read-only and was not")));
        let program = site.instance.call("cyclog").args(OPTIONS).arg(site.instance.path("alias/log"));
        let outcome = Call::input(program, "again\n").run();
        if outcome.code != 0 {
            wrong.push(format!("cyclog does not go on: {}", outcome.err_text()));
        }
        wrong.extend(differences("when it goes on", &complete, &site.instance));
        Verdict { extra_copies: 0, wrong }
    }
}

fn read_only_files(instance: &Instance) -> BTreeMap<String, String> {
    let entries = fs::read_dir(instance.path("alias/log")).expect("the log").flatten();
    let read_only = entries.filter(|entry| {
        let metadata = entry.metadata().expect("a log file");
        metadata.is_file() && metadata.permissions().mode() & 0o777 == 0o444
    });
    let named = read_only.map(|entry| {
        let text = fs::read_to_string(entry.path()).expect("a log file");
        (entry.file_name().to_string_lossy().into_owned(), text)
    });
    named.collect()
}

fn differences(when: &str, complete: &BTreeMap<String, String>, instance: &Instance) -> Vec<String> {
    let read = |name: &String| fs::read_to_string(instance.path("alias/log").join(name)).ok();
    let differing = complete.iter().filter(|(name, text)| read(name).as_ref() != Some(text));
    differing.map(|(name, _)| format!("{when} {name} is {:?}", read(name))).collect()
}

/// R8
#[test]
fn r8_a_read_only_log_file_is_complete_if_power_is_lost_in_cyclog() {
    try_points(&Log::default(), 4);
}
