//! Where messages end: the maildir of a user, and smtp-sink, Postfix's server that takes messages and forgets them.
//! Both say how many have come, and when the last one did.

use super::HOST;
use harness::{OrdinaryUser, Running, free_port, installed, wait_until};
use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// The name of the user who gets mail, and of nobody else on the machine.
const USER: &str = "suite-bench-user";
/// How long nothing may arrive before it is clear that nothing will.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the messages of a benchmark go, and how to see them there.
pub trait Destination {
    /// The recipient.
    fn address(&self) -> String;

    /// Forgets what has arrived.
    fn clear(&self);

    /// Messages that have arrived since, and when the last one did.
    fn arrived(&self) -> (usize, SystemTime);
}

/// When the last of so many messages arrived.
///
/// # Panics
/// If none of those that are missing arrives for a minute, or there are more.
pub fn last_arrival(destination: &dyn Destination, wanted: usize) -> SystemTime {
    let mut newest = SystemTime::now();
    loop {
        let (arrived, last) = destination.arrived();
        assert!(arrived <= wanted, "{arrived} messages arrived of {wanted}");
        if arrived == wanted {
            return last;
        }
        newest = newest.max(last);
        let waited = newest.elapsed().unwrap_or_default();
        assert!(waited < PATIENCE, "{arrived} messages arrived of {wanted}");
        // To count them takes time from those who deliver them; the time of the last one is exact anyhow.
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The maildir of a user of the system, to whom all mail systems deliver.
pub struct Mailbox {
    user: OrdinaryUser,
}

impl Mailbox {
    /// Makes the account, its home in `place`, and the maildir.
    pub fn new(place: &Path) -> Mailbox {
        let mailbox = Mailbox { user: OrdinaryUser::new(USER, place) };
        mailbox.clear();
        mailbox
    }

    fn maildir(&self) -> PathBuf {
        self.user.home.join("Maildir")
    }
}

impl Destination for Mailbox {
    fn address(&self) -> String {
        format!("{USER}@{HOST}")
    }

    /// Makes the maildir anew: a directory that once held thousands of files stays a large one.
    fn clear(&self) {
        let _ = fs::remove_dir_all(self.maildir());
        for part in ["", "tmp", "new", "cur"] {
            let path = self.maildir().join(part);
            fs::create_dir(&path).expect("a maildir");
            self.user.owns(&path);
        }
    }

    /// A message got its name in `new` at the time of its last change of status, which is what delivery ends with.
    fn arrived(&self) -> (usize, SystemTime) {
        let entries = fs::read_dir(self.maildir().join("new")).expect("a maildir");
        let times = entries.map(|entry| {
            let seen = entry.expect("an entry").metadata().expect("a message");
            let nanoseconds = seen.ctime_nsec().cast_unsigned();
            Duration::from_secs(seen.ctime().cast_unsigned()) + Duration::from_nanos(nanoseconds)
        });
        let (count, last) =
            times.fold((0, Duration::ZERO), |(count, last), time| (count + 1, last.max(time)));
        (count, SystemTime::UNIX_EPOCH + last)
    }
}

/// smtp-sink on a port of 127.0.0.1.
pub struct Sink {
    _running: Running,
    /// Its port.
    pub port: u16,
    seen: Arc<Mutex<Seen>>,
}

struct Seen {
    /// Since smtp-sink started.
    messages: usize,
    /// Of these, those that do not count any more.
    cleared: usize,
    last: SystemTime,
}

impl Sink {
    /// Starts it. None if it is not installed.
    pub fn start() -> Option<Sink> {
        let program = installed("smtp-sink")?;
        let port = free_port();
        let mut command = Command::new(program);
        command.args(["-c", "-u", "nobody", &format!("127.0.0.1:{port}"), "256"]);
        let mut running = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::null()));
        let counters = running.child().stdout.take().expect("a pipe");
        let seen = Arc::new(Mutex::new(Seen { messages: 0, cleared: 0, last: SystemTime::UNIX_EPOCH }));
        let watched = Arc::clone(&seen);
        // It ends when smtp-sink does.
        std::thread::spawn(move || watch(counters, &watched));
        wait_until("smtp-sink listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Some(Sink { _running: running, port, seen })
    }
}

impl Destination for Sink {
    fn address(&self) -> String {
        String::from("user@elsewhere.example")
    }

    fn clear(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.cleared = seen.messages;
    }

    fn arrived(&self) -> (usize, SystemTime) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        (seen.messages - seen.cleared, seen.last)
    }
}

/// Reads the counters of `smtp-sink -c`, `sess=3 quit=2 mesg=2` and CR, anew after each command that changes one.
fn watch(mut counters: impl Read, seen: &Mutex<Seen>) {
    let mut text = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(length @ 1..) = counters.read(&mut chunk) {
        text.extend_from_slice(&chunk[..length]);
        let Some(end) = text.iter().rposition(|byte| *byte == b'\r') else { continue };
        let newest = String::from_utf8_lossy(&text[..end]);
        let messages = newest.rsplit_once("mesg=").and_then(|(_, count)| count.trim().parse().ok());
        let messages = messages.expect("the counters of smtp-sink");
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if messages > seen.messages {
            (seen.messages, seen.last) = (messages, SystemTime::now());
        }
        drop(seen);
        text.drain(..=end);
    }
}
