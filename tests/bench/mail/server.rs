//! A mail system that runs: how it is started, how its queue is seen to be empty, and what all of them share.

use super::arrivals::{Mailbox, Sink};
use super::usage::Group;
use harness::{skipped, wait_until};
use std::any::Any;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What all mail systems of a benchmark share: the disk, the user they deliver to, and the host they relay to.
pub struct Site {
    /// The user's maildir.
    pub mailbox: Mailbox,
    /// The next host for everything else.
    pub sink: Sink,
    /// Removed when all else is gone.
    scratch: tempfile::TempDir,
    /// The right to measure; given up last.
    _turn: File,
}

impl Site {
    /// Makes it, or says why that is not possible.
    pub fn new() -> Option<Site> {
        if !harness::is_root() {
            skipped("only root can run several mail systems with their accounts");
            return None;
        }
        let turn = turn();
        let scratch = harness::scratch();
        if file_system(scratch.path()) == "tmpfs" {
            skipped("the place for temporary files is in memory, where nothing is durable: set TMPDIR");
            return None;
        }
        let Some(sink) = Sink::start() else {
            skipped("smtp-sink and smtp-source (Debian: postfix) are not installed");
            return None;
        };
        Some(Site { mailbox: Mailbox::new(scratch.path()), sink, scratch, _turn: turn })
    }

    /// A directory for one of the mail systems.
    pub fn directory(&self, name: &str) -> PathBuf {
        let path = self.scratch.path().join(name);
        fs::create_dir(&path).expect("a directory");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
        path
    }
}

/// Waits until no other process measures mail: two at a time would say nothing, and use the same names.
fn turn() -> File {
    let path = std::env::temp_dir().join("mail-bench.lock");
    let file = File::create(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if file.try_lock().is_err() {
        eprintln!("  waits for another benchmark of mail ...");
        file.lock().expect("a lock");
    }
    file
}

/// A running mail system.
pub struct Server {
    /// What the tables call it.
    pub name: &'static str,
    /// The addresses and ports at which it takes mail; clients divide themselves among them.
    pub doors: Vec<SocketAddr>,
    /// Its processes.
    pub group: Group,
    /// Directories that hold the files of messages on their way, and no others.
    queue: Vec<PathBuf>,
    /// Whatever else has to stay, and to be cleared away at the end.
    _kept: Box<dyn Any>,
}

impl Server {
    /// Starts it in a group of its own, and waits until it greets.
    pub fn start(
        name: &'static str,
        doors: Vec<SocketAddr>,
        queue: Vec<PathBuf>,
        starting: impl FnOnce() -> Box<dyn Any>,
    ) -> Option<Server> {
        let Some(group) = Group::new(name) else {
            skipped("no control group can be made, which processor time and memory are measured by");
            return None;
        };
        let kept = group.start(starting);
        let server = Server { name, doors, group, queue, _kept: kept };
        for door in &server.doors {
            wait_until("a greeting", || greets(*door));
        }
        Some(server)
    }

    /// Waits until nothing of any message is left in the queue.
    pub fn wait_until_idle(&self) {
        wait_until("an empty queue", || self.queue.iter().all(|directory| files_below(directory) == 0));
    }
}

/// A port of 127.0.0.1.
pub fn door(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn greets(door: SocketAddr) -> bool {
    let Ok(stream) = TcpStream::connect(door) else { return false };
    let mut greeting = String::new();
    BufReader::new(stream).read_line(&mut greeting).is_ok() && greeting.starts_with("220")
}

fn files_below(directory: &Path) -> usize {
    // A directory that is gone has no files.
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    let count = |entry: fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => files_below(&entry.path()),
        _ => 1,
    };
    entries.flatten().map(count).sum()
}

/// The type of the file system that holds a path, as /proc/mounts names it.
fn file_system(path: &Path) -> String {
    let mounts = fs::read_to_string("/proc/mounts").expect("the mounts");
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let holding = fields.filter(|fields| path.starts_with(fields[1]));
    // Of two at the same place, the later one is seen.
    holding.max_by_key(|fields| fields[1].len()).expect("a root file system")[2].to_owned()
}
