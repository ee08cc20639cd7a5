//! A program under strace: to learn its system calls, or to stop it behind one of them.

use harness::{Running, installed};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Calls that take a path or a descriptor. What else a program does touches no file system.
const TRACED: &str = "trace=%file,%desc";
/// Behind these a program is another one, or loads itself.
const NOT_STOPPED_AT: [&str; 3] = ["execve", "mmap", "pread64"];

/// Where a program stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Point {
    /// Behind the call of that name with that number, counted from 1.
    Behind(String, usize),
    /// When it has ended.
    End,
}

impl fmt::Display for Point {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Point::Behind(name, ordinal) => write!(formatter, "{name} {ordinal}"),
            Point::End => write!(formatter, "end"),
        }
    }
}

/// What strace does with a program.
enum Job {
    /// Writes down the calls.
    Record,
    /// Stops it.
    Stop(Point),
    /// Lets it believe that a call of fsync has succeeded which does not happen: the one with this number, from 1.
    LeaveOut(usize),
}

/// strace, and what it writes of a program.
pub struct Tracer {
    job: Job,
    output: PathBuf,
}

impl Tracer {
    /// Writes down the calls.
    pub fn recording(directory: &Path) -> Tracer {
        Tracer::new(Job::Record, directory)
    }

    /// Stops at a point.
    pub fn stopping_at(point: &Point, directory: &Path) -> Tracer {
        Tracer::new(Job::Stop(point.clone()), directory)
    }

    /// Leaves a sync out.
    pub fn leaving_out(ordinal: usize, directory: &Path) -> Tracer {
        Tracer::new(Job::LeaveOut(ordinal), directory)
    }

    fn new(job: Job, directory: &Path) -> Tracer {
        let output = directory.join("trace");
        std::fs::write(&output, "").expect("a file for strace");
        // strace runs as the program does.
        std::os::unix::fs::chown(&output, Some(harness::owner_uid()), None).expect("its owner");
        Tracer { job, output }
    }

    /// The same command under strace.
    pub fn around(&self, command: &Command, into: Command) -> Command {
        let mut traced = into;
        traced.args(self.arguments()).arg("--").arg(command.get_program()).args(command.get_args());
        traced
    }

    /// strace, attached to a process that runs already.
    pub fn attach(&self, pid: i32) -> Running {
        let mut command = Command::new(strace());
        command.args(self.arguments()).arg("-p").arg(pid.to_string()).stderr(Stdio::null());
        let running = Running::start(&mut command);
        harness::wait_until("strace is attached", || is_traced(pid));
        running
    }

    fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["-f".to_owned(), "-o".to_owned(), self.output.display().to_string()];
        let mut expression = |text: String| arguments.extend(["-e".to_owned(), text]);
        match &self.job {
            Job::Record => expression(TRACED.to_owned()),
            Job::Stop(Point::End) => expression("trace=none".to_owned()),
            Job::Stop(Point::Behind(name, ordinal)) => {
                expression(format!("trace={name}"));
                expression(format!("inject={name}:signal=STOP:when={ordinal}"));
            }
            Job::LeaveOut(ordinal) => {
                expression(format!("inject=fsync:retval=0:when={ordinal}"));
                // This one promises nothing, but a disk without a cache has the data then.
                expression("inject=sync_file_range:retval=0".to_owned());
            }
        }
        arguments
    }

    /// Waits until the point has come (true), or everything that the program had to do is done.
    pub fn waits(&self, mut is_done: impl FnMut() -> bool) -> bool {
        let mut is_stopped = false;
        let ended = harness::settles(|| {
            is_stopped = self.written().contains("stopped by SIGSTOP");
            is_stopped || is_done()
        });
        assert!(ended, "neither stopped nor done:\n{}", self.written());
        is_stopped || !matches!(self.job, Job::Stop(Point::Behind(..)))
    }

    /// Whether a sync was left out.
    pub fn has_left_out(&self) -> bool {
        self.written().contains("(INJECTED)")
    }

    /// The points of the program that was recorded: each call of its processes.
    pub fn points(&self) -> Vec<Point> {
        let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
        let mut points = Vec::new();
        for (process, name) in self.written().lines().filter_map(call_of) {
            let count = counts.entry((process, name.clone())).or_default();
            *count += 1;
            let point = Point::Behind(name, *count);
            if !points.contains(&point) {
                points.push(point);
            }
        }
        points.push(Point::End);
        points
    }

    fn written(&self) -> String {
        let bytes = std::fs::read(&self.output).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// strace itself.
pub fn strace() -> PathBuf {
    installed("strace").expect("strace")
}

/// The process and the call that a line of strace is about: `123 openat(AT_FDCWD, ...`.
fn call_of(line: &str) -> Option<(String, String)> {
    let (process, rest) = line.split_once(' ')?;
    let (name, _) = rest.trim_start().split_once('(')?;
    let is_name = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    (is_name && !NOT_STOPPED_AT.contains(&name)).then(|| (process.to_owned(), name.to_owned()))
}

fn is_traced(pid: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
}
