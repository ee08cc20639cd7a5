//! A million rules compiled: our tcprules, the reference one, and the `cdb` of tinycdb on the records that come out.

use crate::compare::{Better, Comparison, ROUNDS, Trial};
use harness::{installed, program, scratch};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

const RULES: u32 = 1_000_000;

/// Seconds from the text to the database.
pub fn run() -> Vec<Comparison> {
    let place = scratch();
    let place = place.path();
    let (rules, records) = (place.join("rules"), place.join("records"));
    write_inputs(&rules, &records);

    let (compiled, temporary) = (place.join("rules.cdb"), place.join("rules.tmp"));
    let compile = |tcprules: &Path| {
        let mut command = Command::new(tcprules);
        command.arg(&compiled).arg(&temporary).stdin(File::open(&rules).expect("the rules"));
        seconds(&mut command)
    };
    let ours = program("tcprules");
    let mut trials = vec![Trial::new("tcprules", move || compile(&ours))];
    if let Some(reference) = installed("tcprules") {
        trials.push(Trial::new("tcprules of ucspi-tcp", move || compile(&reference)));
    }
    if let Some(cdb) = installed("cdb") {
        let (database, records) = (place.join("records.cdb"), &records);
        trials.push(Trial::new("cdb -c of tinycdb", move || {
            seconds(Command::new(&cdb).arg("-c").arg(&database).arg(records))
        }));
    }
    vec![Comparison::run("tcprules: 1,000,000 rules", "s", Better::Less, 1.0, ROUNDS, trials)]
}

/// The rules as tcprules reads them, and the same records as `cdb` does.
fn write_inputs(rules: &Path, records: &Path) {
    let create = |path: &Path| BufWriter::new(File::create(path).expect("an input"));
    let (mut rules, mut records) = (create(rules), create(records));
    for number in 0..RULES {
        let [_, high, middle, low] = number.to_be_bytes();
        let address = format!("10.{high}.{middle}.{low}");
        let data = "+RELAYCLIENT=\0";
        writeln!(rules, "{address}:allow,RELAYCLIENT=\"\"").expect("a rule");
        writeln!(records, "+{},{}:{address}->{data}", address.len(), data.len()).expect("a record");
    }
    writeln!(records).expect("the end of the records");
    rules.flush().and_then(|()| records.flush()).expect("the inputs");
}

fn seconds(command: &mut Command) -> f64 {
    let start = Instant::now();
    let status = command.stdout(Stdio::null()).status().expect("a program to measure");
    assert!(status.success(), "{command:?}: {status}");
    start.elapsed().as_secs_f64()
}
