//! A warning for who edits the rules and forgets to compile them.
//!
//! The source of `tcp.smtp.cdb` is taken to be `tcp.smtp`, beside it, as everybody calls it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// Watches a rules database and its source.
#[derive(Debug)]
pub(super) struct Watch {
    database: PathBuf,
    source: PathBuf,
    looked: Option<Instant>,
    /// The change of the source that was warned of.
    warned: Option<SystemTime>,
}

impl Watch {
    /// Of this database; `None` if its name does not tell its source.
    pub fn of(database: &Path) -> Option<Watch> {
        let is_compiled = database.extension().is_some_and(|extension| extension == "cdb");
        let source = database.with_extension("");
        is_compiled.then(|| Watch { database: database.into(), source, looked: None, warned: None })
    }

    /// The source, if it was changed after the database and that was not said before. It is looked at now and
    /// then only, so this may be asked often.
    pub fn newer_source(&mut self, now: Instant) -> Option<&Path> {
        if self.looked.is_some_and(|last| now.saturating_duration_since(last) < INTERVAL) {
            return None;
        }
        self.looked = Some(now);
        let (source, database) = (changed(&self.source).ok()?, changed(&self.database).ok()?);
        if source <= database || self.warned == Some(source) {
            return None;
        }
        self.warned = Some(source);
        Some(&self.source)
    }
}

fn changed(path: &Path) -> io::Result<SystemTime> {
    path.metadata()?.modified()
}

const INTERVAL: Duration = Duration::from_secs(10);
