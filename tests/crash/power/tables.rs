//! Programs that put a table into force: after a power cut it is the old one or the new one, never half of one; and
//! once the program has said that it is done, the new one.

use super::experiment::{Experiment, try_points};
use crate::image::Kind;
use crate::ledger::{Ledger, Verdict};
use crate::site::{Prepared, Site};
use crate::tracer::{Tracer, strace};
use harness::{Instance, Running};
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// A program and its table.
#[derive(Default)]
pub struct Table {
    program: &'static str,
    arguments: &'static [&'static str],
    /// What it is made of: a file of the home, which is standard input too.
    source: &'static str,
    old: &'static str,
    new: &'static str,
    /// What is made.
    database: &'static str,
    /// Both states of the database.
    states: OnceLock<[Vec<u8>; 2]>,
}

impl Table {
    fn command(&self, instance: &Instance) -> Command {
        let mut command = instance.command(&instance.path("bin").join(self.program));
        command.args(self.arguments);
        command
    }

    fn start(&self, instance: &Instance, mut command: Command) -> Running {
        let source = File::open(instance.path(self.source)).expect("the source");
        command.current_dir(instance.path("control")).stdin(source);
        Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()))
    }

    /// Makes the table of a text; its bytes.
    fn make(&self, instance: &Instance, text: &str) -> Vec<u8> {
        instance.write(self.source, text);
        assert_eq!(self.start(instance, self.command(instance)).wait(), 0, "{}", self.program);
        read(&instance.path(self.database)).expect("a database")
    }
}

impl Experiment for Table {
    fn subject(&self) -> &'static str {
        self.program
    }

    fn prepare(&self, kind: Kind) -> Prepared {
        Prepared::with(kind, |instance| {
            let new = self.make(instance, self.new);
            let old = self.make(instance, self.old);
            let [before, after] = self.states.get_or_init(|| [old.clone(), new.clone()]);
            assert_eq!((before, after), (&old, &new), "the same table from the same text");
            instance.write(self.source, self.new);
        })
    }

    fn until_stopped(&self, site: &mut Site, ledger: &Ledger, tracer: &Tracer) -> (bool, Vec<Running>) {
        let number = ledger.draw();
        let traced = tracer.around(&self.command(&site.instance), site.instance.command(&strace()));
        let mut running = self.start(&site.instance, traced);
        let came = tracer.waits(|| !running.is_alive());
        if !running.is_alive() && running.wait() == 0 {
            ledger.acknowledge(number);
        }
        (came, vec![running])
    }

    fn recover(&self, site: &mut Site, ledger: &Ledger) -> Verdict {
        let [old, new] = self.states.get().expect("both states");
        let found = read(&site.instance.path(self.database));
        let is_done = !ledger.acknowledged().is_empty();
        let wrong = match found {
            Some(bytes) if bytes == *new || (bytes == *old && !is_done) => None,
            Some(bytes) if bytes == *old => Some("is the old one".to_owned()),
            Some(bytes) => Some(format!("is neither the old one nor the new one: {} bytes", bytes.len())),
            None => Some("is gone".to_owned()),
        };
        let wrong = wrong.into_iter().map(|what| format!("{} {what}", self.database)).collect();
        Verdict { extra_copies: 0, wrong }
    }
}

fn read(path: &Path) -> Option<Vec<u8>> {
    std::fs::read(path).ok()
}

impl Table {
    /// What mail for local users does.
    pub fn newu() -> Table {
        Table {
            program: "qmail-newu",
            source: "users/assign",
            old: "=joe:joe:1000:1000:/home/joe:::\n.\n",
            new: "=joe:joe:1000:1000:/home/joe:::\n+ann-:ann:1001:1001:/home/ann:-::\n.\n",
            database: "users/cdb",
            ..Table::default()
        }
    }

    /// Who may connect, and relay.
    pub fn tcprules() -> Table {
        Table {
            program: "tcprules",
            arguments: &["rules.cdb", "rules.tmp"],
            source: "control/rules",
            old: "127.:allow,RELAYCLIENT=\"\"\n:allow\n",
            new: "192.168.:allow,RELAYCLIENT=\"\"\n10.0.0.1:deny\n:allow\n",
            database: "control/rules.cdb",
            ..Table::default()
        }
    }

    /// Which hosts' mail is accepted.
    pub fn newmrh() -> Table {
        Table {
            program: "qmail-newmrh",
            source: "control/morercpthosts",
            old: "a.example\n",
            new: "a.example\nb.example\n.c.example\n",
            database: "control/morercpthosts.cdb",
            ..Table::default()
        }
    }
}

/// R8
#[test]
fn r8_the_table_is_the_old_one_or_the_new_one_if_power_is_lost_in_qmail_newu() {
    try_points(&Table::newu(), 3);
}

/// R8
#[test]
fn r8_the_table_is_the_old_one_or_the_new_one_if_power_is_lost_in_tcprules() {
    try_points(&Table::tcprules(), 3);
}

/// R8
#[test]
fn r8_the_table_is_the_old_one_or_the_new_one_if_power_is_lost_in_qmail_newmrh() {
    try_points(&Table::newmrh(), 2);
}
