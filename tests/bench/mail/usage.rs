//! What a mail system uses, all its processes together: each system runs in a control group of its own.
//!
//! The kernel charges the group with the processor time of every process that was ever in it, those that lived for a
//! millisecond included. Either generation of control groups will do; nothing but the bookkeeping is used, no limits.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use unix::process::{self, Pid};
use unix::signal::Signal;

/// How often memory is looked at. The kernel needs some 20 ms to add up what the sixty processes of Postfix share.
const SAMPLE: Duration = Duration::from_secs(1);

/// A control group with the processes of one mail system; they are killed when it is dropped.
pub struct Group {
    directory: PathBuf,
    /// The group that the benchmark itself is in.
    own: PathBuf,
}

impl Group {
    /// A group below that of the benchmark. None where it may make none, as in most containers.
    pub fn new(name: &str) -> Option<Group> {
        let own = own_group()?;
        let group = Group { directory: own.join(format!("mail-bench-{name}")), own };
        // One may be left from a benchmark that was killed.
        group.kill();
        fs::create_dir(&group.directory).ok()?;
        Some(group)
    }

    /// Does something that starts processes, all of which will belong to the group.
    pub fn start<T>(&self, starting: impl FnOnce() -> T) -> T {
        let move_to = |group: &Path| {
            let own_pid = std::process::id().to_string();
            fs::write(group.join("cgroup.procs"), own_pid).expect("a group to move to");
        };
        move_to(&self.directory);
        let started = starting();
        move_to(&self.own);
        started
    }

    /// Processor time of all its processes so far, user and system.
    pub fn processor_time(&self) -> Duration {
        let read = |name: &str| fs::read_to_string(self.directory.join(name));
        let number = |text: &str| text.trim().parse::<u64>().expect("a number");
        if let Ok(nanoseconds) = read("cpuacct.usage") {
            return Duration::from_nanos(number(&nanoseconds));
        }
        let stat = read("cpu.stat").expect("the times of the group");
        let microseconds = stat.lines().find_map(|line| line.strip_prefix("usage_usec "));
        Duration::from_micros(number(microseconds.expect("the time used")))
    }

    /// The highest sum of the memory of all its processes while `work` is done, in kB, and what `work` returns.
    ///
    /// It is PSS, in which a page that several processes share is divided among them.
    pub fn peak_memory<T>(&self, work: impl FnOnce() -> T) -> (u64, T) {
        let (peak, is_done) = (AtomicU64::new(0), AtomicBool::new(false));
        let watch = || {
            while !is_done.load(Ordering::Relaxed) {
                peak.fetch_max(self.memory(), Ordering::Relaxed);
                std::thread::park_timeout(SAMPLE);
            }
        };
        let result = std::thread::scope(|scope| {
            let watcher = scope.spawn(watch);
            let _ends = OnDrop(|| {
                is_done.store(true, Ordering::Relaxed);
                watcher.thread().unpark();
            });
            work()
        });
        (peak.into_inner(), result)
    }

    fn memory(&self) -> u64 {
        self.processes().into_iter().filter_map(proportional).sum()
    }

    fn processes(&self) -> Vec<i32> {
        let list = fs::read_to_string(self.directory.join("cgroup.procs")).unwrap_or_default();
        list.lines().map(|pid| pid.parse().expect("a process number")).collect()
    }

    /// Ends whatever is in the group, what is forked meanwhile included, and removes it.
    fn kill(&self) {
        while let running = self.processes()
            && !running.is_empty()
        {
            for pid in running {
                let _ = process::kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = fs::remove_dir(&self.directory);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The directory of the group that this process is in and that counts processor time.
fn own_group() -> Option<PathBuf> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let directory = |line: &str| {
        // hierarchy:controllers:path; without controllers, it is the second generation.
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?.trim_start_matches('/'));
        let hierarchy = match controllers {
            "" => "/sys/fs/cgroup",
            some if some.split(',').any(|controller| controller == "cpuacct") => "/sys/fs/cgroup/cpuacct",
            _ => return None,
        };
        let directory = Path::new(hierarchy).join(path);
        directory.join("cgroup.procs").is_file().then_some(directory)
    };
    groups.lines().find_map(directory)
}

/// PSS of a process in kB. None if it has ended meanwhile.
fn proportional(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// Does something at the end of a scope, even if that ends in a panic.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
