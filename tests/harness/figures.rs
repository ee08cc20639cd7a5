//! What the kernel knows of a running process: its memory and its processor time (proc(5)).

use std::fs;
use std::time::Duration;

/// Resident memory of a process in bytes: `VmRSS` of /proc/PID/status.
pub fn resident(pid: i32) -> u64 {
    kibibytes(&format!("/proc/{pid}/status"), "VmRSS:")
}

/// Memory of a process in bytes, shared pages divided among those who share them: `Pss` of /proc/PID/smaps_rollup.
pub fn proportional(pid: i32) -> u64 {
    kibibytes(&format!("/proc/{pid}/smaps_rollup"), "Pss:")
}

/// Processor time of a process, user and system together, with that of its children that it has waited for.
pub fn processor_time(pid: i32) -> Duration {
    let stat = stat(pid).expect("a running process");
    let fields: Vec<u64> =
        stat.iter().skip(11).take(4).map(|field| field.parse().expect("a number")).collect();
    Duration::from_millis(fields.iter().sum::<u64>() * MILLISECONDS_A_TICK)
}

/// The fields of /proc/PID/stat behind the program's name: the state, the parent, and so on. Nothing if there is no such process.
///
/// The name stands in parentheses and may hold anything; what follows the last one is the fields.
pub fn stat(pid: i32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

fn kibibytes(file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"));
    let line =
        text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{file}: no {name}"));
    let number =
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_else(|error| panic!("{file}: {error}"));
    number * 1024
}

/// Linux shows times in hundredths of a second, whatever its own tick is.
const MILLISECONDS_A_TICK: u64 = 10;
