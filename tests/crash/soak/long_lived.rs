//! What processes that live long must not gain: memory, descriptors, children that are dead.

use super::suite::is_passing;
use std::collections::BTreeMap;
use std::fs;

/// What may be added to the memory of a process in the second half of a calm time: what a new page table or a larger buffer takes.
const MARGIN: u64 = 256 * 1024;

/// The memory of processes in the first half of a calm time and in its second, in bytes: the most that was seen.
#[derive(Debug, Default)]
pub struct Memory {
    most: BTreeMap<(i32, String), [u64; 2]>,
}

impl Memory {
    /// Looks at those of these processes that live long.
    pub fn look(&mut self, processes: &[(i32, String)], second_half: bool) {
        for (pid, name) in processes.iter().filter(|(pid, name)| !is_passing(*pid, name)) {
            let Some(bytes) = anonymous_memory(*pid) else { continue };
            let most = self.most.entry((*pid, name.clone())).or_default();
            let half = &mut most[usize::from(second_half)];
            *half = bytes.max(*half);
        }
    }

    /// Who has grown, of those who were there all the time.
    pub fn growth(&self) -> Vec<String> {
        let lived = self.most.iter().filter(|(_, [first, second])| *first > 0 && *second > 0);
        let grown = lived.filter(|(_, [first, second])| *second > *first + MARGIN);
        grown
            .map(|((pid, name), [first, second])| format!("{name} {pid} grew from {first} to {second} bytes"))
            .collect()
    }
}

/// The memory of a process that no file backs. What copies of it share with it counts: there may be some or none at any moment. Nothing if it
/// has just ended.
fn anonymous_memory(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find(|line| line.starts_with("Anonymous:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

/// How many descriptors each process has.
pub fn descriptors(processes: Vec<(i32, String)>) -> BTreeMap<(i32, String), usize> {
    let count = |pid: i32| fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
    processes.into_iter().map(|process| (process.clone(), count(process.0))).collect()
}

/// Who has not the same number as before, of those who were there then.
pub fn gained(
    before: &BTreeMap<(i32, String), usize>,
    after: &BTreeMap<(i32, String), usize>,
) -> Vec<String> {
    let both = before.iter().filter_map(|(process, count)| Some((process, count, after.get(process)?)));
    let changed = both.filter(|(_, before, after)| before != after);
    changed
        .map(|((pid, name), before, after)| format!("{name} {pid} had {before} descriptors and has {after}"))
        .collect()
}

/// Children of these processes that are dead, and that nobody waits for.
pub fn zombies(processes: &[(i32, String)]) -> Vec<String> {
    let found = || -> Vec<String> {
        let entries = fs::read_dir("/proc").expect("/proc").flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let is_ours = |parent: i32| processes.iter().any(|(pid, _)| *pid == parent);
        let dead = pids.filter_map(|pid| Some((pid, parent_of_dead(pid).filter(|parent| is_ours(*parent))?)));
        dead.map(|(pid, parent)| format!("{pid} is dead, and {parent} does not wait for it")).collect()
    };
    // One that has just ended is waited for in a moment.
    if harness::settles(|| found().is_empty()) { Vec::new() } else { found() }
}

/// The parent of a process, if that is dead.
fn parent_of_dead(pid: i32) -> Option<i32> {
    let stat = harness::figures::stat(pid)?;
    stat.first().filter(|state| *state == "Z")?;
    stat.get(1)?.parse().ok()
}
