//! What a service directory asks for beyond what daemontools did, in files that its owner puts there.
//!
//! | file             | what it asks for                                                                        |
//! |------------------|-----------------------------------------------------------------------------------------|
//! | `back-off`       | start a service that keeps ending after 1, 2, 4 … seconds; in it the longest wait, or 60 |
//! | `final-100`      | do not start the service again after exit status 100                                     |
//! | `notification-fd`| the number of a descriptor on which the program writes a line once it is ready           |
//! | `finish`         | a program to run after each end of the service; it may exit 100 for the same              |
//! | `timeout-finish` | milliseconds after which `finish` is killed, 0 for never; without it, 5000                |
//! | `process-group`  | a session of its own for the program, and signals to everything in its process group     |
//! | `wait-for`       | service directories, one a line, that have to be up, and ready if they tell, before it    |
//!
//! They are read at each start of the service. One that cannot be understood is warned of and asks for nothing.

use super::state::Rules;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use unix::failure::{because, is_absent};
use unix::{file, number};

/// The longest wait of `back-off`, unless it says otherwise.
const LONGEST_BACK_OFF: u64 = 60;

/// How many milliseconds `finish` may take, unless `timeout-finish` says otherwise. File, unit and value are
/// those of s6: a service must come back even if what cleans up after it hangs.
const FINISH_LIMIT: u64 = 5000;

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// What the table has to know.
    pub rules: Rules,
    /// The descriptor of `notification-fd`.
    pub notification: Option<i32>,
    /// Whether there is a `process-group`.
    pub process_group: bool,
    /// The directories of `wait-for`, as seen from the service directory.
    pub wait_for: Vec<Vec<u8>>,
}

impl Settings {
    /// Whether the service asks for nothing that daemontools did not do.
    pub fn are_plain(&self) -> bool {
        *self == Settings::default()
    }
}

/// Reads the files of the working directory. `warn` is told what is wrong with one.
pub fn read(mut warn: impl FnMut(Vec<u8>)) -> Settings {
    let finish =
        asks("finish", |found| found.is_file() && found.permissions().mode() & 0o111 != 0, &mut warn);
    let rules = Rules {
        back_off: one_number("back-off", LONGEST_BACK_OFF, &mut warn).map(Duration::from_secs),
        final_100: asks("final-100", |_| true, &mut warn),
        finish,
        finish_limit: finish.then(|| finish_limit(&mut warn)).flatten(),
    };
    Settings {
        rules,
        notification: notification(&mut warn),
        process_group: asks("process-group", |_| true, &mut warn),
        wait_for: lines("wait-for", &mut warn),
    }
}

fn finish_limit(warn: &mut impl FnMut(Vec<u8>)) -> Option<Duration> {
    let milliseconds = one_number("timeout-finish", FINISH_LIMIT, warn).unwrap_or(FINISH_LIMIT);
    (milliseconds > 0).then(|| Duration::from_millis(milliseconds))
}

/// The standard descriptors have uses of their own.
fn notification(warn: &mut impl FnMut(Vec<u8>)) -> Option<i32> {
    let number = one_number("notification-fd", 0, warn)?;
    let usable = i32::try_from(number).ok().filter(|number| *number > 2);
    if usable.is_none() {
        warn(b"unable to use notification-fd: not a descriptor above 2".to_vec());
    }
    usable
}

/// Whether a file is there, and what is to be of it.
fn asks(name: &str, is_right: impl Fn(&fs::Metadata) -> bool, warn: &mut impl FnMut(Vec<u8>)) -> bool {
    match fs::metadata(name) {
        Ok(found) => is_right(&found),
        Err(error) => {
            if !is_absent(&error) {
                warn(because(["unable to stat ", name].concat(), &error));
            }
            false
        }
    }
}

/// The lines of a file that are not empty.
fn lines(name: &str, warn: &mut impl FnMut(Vec<u8>)) -> Vec<Vec<u8>> {
    let bytes = contents(name, warn).unwrap_or_default();
    let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines.filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}

/// The number that a file holds, on a line of its own; nothing if there is no file, `empty` if there is none in it.
fn one_number(name: &str, empty: u64, warn: &mut impl FnMut(Vec<u8>)) -> Option<u64> {
    let bytes = contents(name, warn)?;
    let value = match bytes.trim_ascii() {
        b"" => Some(empty),
        text => number::whole(text),
    };
    if value.is_none() {
        warn(["unable to read ", name, ": not a number"].concat().into_bytes());
    }
    value
}

/// What is in a file, if there is one that can be read.
fn contents(name: &str, warn: &mut impl FnMut(Vec<u8>)) -> Option<Vec<u8>> {
    file::read_if_present(Path::new(name)).unwrap_or_else(|error| {
        warn(because(["unable to read ", name].concat(), &error));
        None
    })
}
