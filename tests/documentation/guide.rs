//! Every command of `docs/guide.md` is typed, in its order, on a fresh machine, and prints what the guide shows.
//!
//! There is no list of commands here: what stands in a block of the guide is tested by standing there. [`blocks`] has the
//! kinds of blocks, [`shown`] what may be another thing than the guide shows. The machine is made by the script
//! `guide/machine` of namespaces and of a layer over the file system, so nothing outside it changes. On it
//!
//! * `make` builds nothing: a stand-in for `cargo` is silent, and target/release has the programs of this build;
//! * `systemctl start` and `stop` do themselves what the unit says, since no systemd runs there;
//! * Debian's nsd serves the records of the guide's blocks `zone`, and those of `guide/world.zone`, to all who ask;
//! * the blocks `netqmail` are typed on a second machine, where the script `guide/netqmail` has laid out a site of netqmail's.

mod blocks;
mod machine;
mod shown;

use blocks::{Prompt, Step};
use harness::{settles_within, skipped, source_tree};
use machine::Machine;
use shown::Numbers;
use std::fs;
use std::time::Duration;

#[test]
fn every_command_of_the_guide_prints_what_the_guide_shows() {
    if let Some(obstacle) = machine::obstacle() {
        return skipped(&obstacle);
    }
    let text = fs::read_to_string(source_tree().join("docs/guide.md")).expect("the guide");
    let (mut zone, mut fresh, mut netqmail) = (String::new(), Vec::new(), Vec::new());
    for block in blocks::blocks(&text) {
        match block.info.split(' ').next() {
            Some("zone") => zone.push_str(&block.lines.join("\n")),
            Some("console") => match blocks::steps(&block) {
                (false, steps) => fresh.extend(steps),
                (true, steps) => netqmail.extend(steps),
            },
            _ => panic!("docs/guide.md:{}: a block of the kind {:?} is not tested", block.line, block.info),
        }
    }
    assert!(fresh.len() > 80 && netqmail.len() > 10, "{} and {} commands", fresh.len(), netqmail.len());
    follow(Machine::start(&zone), &fresh);
    let mut machine = Machine::start(&zone);
    let script = source_tree().join("tests/documentation/guide/netqmail");
    let laid_out = machine.types(Prompt::Root, &fs::read_to_string(script).expect("the script"));
    assert_eq!(laid_out.code, 0, "{}", laid_out.printed);
    follow(machine, &netqmail);
}

/// Types one command after the other.
fn follow(mut machine: Machine, steps: &[Step]) {
    let mut numbers = Numbers::default();
    for step in steps {
        let command = numbers.placed(&step.command);
        let mut printed = String::new();
        let mut is_as_shown = || {
            let outcome = machine.types(step.prompt, &command);
            let lines: Vec<&str> = outcome.printed.lines().collect();
            printed = format!("exit {}\n{}", outcome.code, outcome.printed);
            (outcome.code != 0) == step.fails && numbers.agree(&step.shown, &lines)
        };
        let patience = if step.again { PATIENCE } else { Duration::ZERO };
        if !(is_as_shown() || step.again && settles_within(patience, PAUSE, is_as_shown)) {
            let shown = step.shown.join("\n");
            panic!(
                "docs/guide.md:{}: {command}\nshall {} with\n{shown}\nand does\n{printed}",
                step.line,
                if step.fails { "fail" } else { "succeed" }
            );
        }
    }
}

/// How long a block `again` is repeated. Not a claim about speed.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);
