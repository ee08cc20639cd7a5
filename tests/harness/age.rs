//! Files that have been lying about.

use std::fs::{File, FileTimes};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// After so many hours a file of the queue that is nobody's is collected.
pub const STRAY_HOURS: u64 = 37;

/// As if nobody had touched a file for so many hours.
///
/// # Errors
/// It is not there, or not ours.
pub fn set_age(path: &Path, hours: u64) -> io::Result<()> {
    let time = SystemTime::now() - Duration::from_secs(3600 * hours);
    let file = File::options().write(true).open(path)?;
    file.set_times(FileTimes::new().set_accessed(time).set_modified(time))
}
