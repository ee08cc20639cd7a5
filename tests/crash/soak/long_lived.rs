//! What processes that live long must not gain: memory, descriptors, children that are dead.

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
    /// Looks at all processes.
    pub fn look(&mut self, processes: &[(i32, String)], second_half: bool) {
        for (pid, name) in processes {
            let Some(bytes) = private_memory(*pid) else { continue };
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

/// The memory that a process has alone: what it shares says nothing of it. Nothing if it has just ended.
fn private_memory(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let is_private = |line: &&str| line.starts_with("Private_");
    let kibibytes =
        text.lines().filter(is_private).map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    Some(kibibytes.sum::<Option<u64>>()? * 1024)
}

/// How many descriptors the processes of each program have, the fewest first.
pub fn descriptors(processes: &[(i32, String)]) -> BTreeMap<String, Vec<usize>> {
    let mut counts: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (pid, name) in processes {
        let count = fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
        counts.entry(name.clone()).or_default().push(count);
    }
    counts.values_mut().for_each(|counts| counts.sort_unstable());
    counts
}

/// Children of these processes that are dead, and that nobody waits for.
pub fn zombies(processes: &[(i32, String)]) -> Vec<String> {
    let found = || -> Vec<String> {
        let entries = fs::read_dir("/proc").expect("/proc").flatten();
        let stats = entries.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
        let is_ours = |parent: i32| processes.iter().any(|(pid, _)| *pid == parent);
        stats.filter(|stat| dead_child(stat).is_some_and(is_ours)).collect()
    };
    // One that has just ended is waited for in a moment.
    if harness::settles(|| found().is_empty()) { Vec::new() } else { found() }
}

/// The parent of a process that is dead, as proc(5) shows it.
fn dead_child(stat: &str) -> Option<i32> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split_whitespace();
    (fields.next()? == "Z").then(|| fields.next()?.parse().ok())?
}
