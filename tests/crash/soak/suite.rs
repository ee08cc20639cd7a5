//! The suite as it runs after boot: svscan with the services qmail and smtpd. As root, in an installation with its accounts; else all
//! as one user.

use harness::{
    Call, HOST, Installation, Instance, Running, SmtpSink, as_owner, free_port, is_root, processes_in,
};
use harness::{settles, wait_until};
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use unix::process::Pid;
use unix::signal::Signal;

/// Programs that are there for one message, or one start.
const PASSING: [&str; 8] = [
    "qmail-start",
    "qmail-smtpd",
    "qmail-queue",
    "qmail-local",
    "qmail-remote",
    "qmail-inject",
    "qmail-getpw",
    "setuser",
];

/// Whether a process is there for one message, or one start; not so those that are kept and copy themselves.
pub fn is_passing(pid: i32, name: &str) -> bool {
    PASSING.contains(&name) && !harness::is_kept(pid)
}

/// Where the suite is installed.
enum Home {
    OfAccounts(Installation),
    OfOneUser(Instance),
}

/// The suite, which runs. All its processes end with it.
pub struct Suite {
    svscan: Running,
    pub port: u16,
    pub next_host: SmtpSink,
    home: Home,
}

impl Suite {
    /// Starts it, with the mailboxes `joe` and `bounces` (maildirs) and `box` (an mbox).
    pub fn start() -> Suite {
        let installation = if is_root() { Installation::new() } else { None };
        let home = installation.map_or_else(|| Home::OfOneUser(Instance::new()), Home::OfAccounts);
        let (next_host, port) = (SmtpSink::start().expect("the next host"), free_port());
        home.put("control/smtproutes", &next_host.route());
        for name in ["joe", "bounces"] {
            home.put(&format!("alias/.qmail-{name}"), &format!("./{name}/\n"));
            for part in ["", "/tmp", "/new", "/cur"] {
                let directory = home.path(&format!("alias/{name}{part}"));
                fs::create_dir(&directory).expect("a part of a maildir");
                home.hand_over(&directory);
            }
        }
        home.put("alias/.qmail-box", "./box\n");
        let run = home.path("service/smtpd/run");
        let script = fs::read_to_string(&run).expect("the script");
        let script = script.replace("HOST=0\nPORT=smtp\n", &format!("HOST=127.0.0.1\nPORT={port}\n"));
        harness::put_program(&run, script);
        let mut command = match &home {
            Home::OfAccounts(_) => Command::new(home.path("bin/svscan")),
            Home::OfOneUser(instance) => instance.command(&home.path("bin/svscan")),
        };
        command.env_clear().env("PATH", format!("{}:/usr/bin:/bin", home.path("bin").display()));
        command.arg(home.path("service")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let suite = Suite { svscan: Running::start(&mut command), port, next_host, home };
        wait_until("smtpd answers", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        wait_until("qmail-send runs", || suite.pid_of("qmail-send").is_some());
        suite
    }

    /// A path below the home.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path(name)
    }

    /// A call of qmail-inject.
    pub fn inject(&self) -> Call {
        let call = Call::path(&self.path("bin/qmail-inject")).env_clear();
        if is_root() && matches!(self.home, Home::OfAccounts(_)) { call } else { as_owner(call) }
    }

    /// All that runs.
    pub fn processes(&self) -> Vec<(i32, String)> {
        processes_in(&self.path("bin"))
    }

    /// Who may be killed: everybody but svscan, whom init would start again.
    pub fn victims(&self) -> Vec<(i32, String)> {
        let mut victims = self.processes();
        victims.retain(|(_, name)| name != "svscan");
        victims
    }

    fn pid_of(&self, name: &str) -> Option<i32> {
        self.processes().into_iter().find(|(_, program)| program == name).map(|(pid, _)| pid)
    }

    /// Waits until all mail has come to its end; it goes on as long as the queue becomes shorter.
    pub fn empty_the_queue(&self) {
        let waiting = || self.waiting().len();
        while let left @ 1.. = waiting() {
            let progress = settles(|| {
                // What failed for now is due now; nobody wants to wait for its turn.
                for (pid, name) in self.processes() {
                    if name == "qmail-send" {
                        let _ = unix::process::kill(Pid::from_raw(pid), Signal::SIGALRM);
                    }
                }
                std::thread::sleep(Duration::from_millis(90));
                waiting() < left
            });
            assert!(
                progress,
                "the queue does not become shorter: {:?} {:?}",
                self.waiting(),
                self.processes()
            );
        }
    }

    /// Messages that were accepted and are still in the queue.
    fn waiting(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let queue = self.path("queue");
        let mut directories = vec![queue.join("todo")];
        directories.extend((0..23).map(|part| queue.join(format!("info/{part}"))));
        for directory in directories {
            let entries = fs::read_dir(&directory).expect("a directory of the queue").flatten();
            found.extend(entries.map(|entry| entry.path()));
        }
        found
    }

    /// Ends services that lost their supervise: a new one cannot start what still runs.
    pub fn end_orphans(&self) {
        let ours: Vec<i32> = self.processes().into_iter().map(|(pid, _)| pid).collect();
        for (pid, name) in self.victims() {
            if parent_of(pid).is_some_and(|parent| !ours.contains(&parent)) && name != "supervise" {
                let _ = unix::process::kill(Pid::from_raw(pid), Signal::SIGTERM);
            }
        }
    }

    /// Waits until only those run who always run, and the same ones for a second; who that is.
    pub fn wait_until_quiet(&self) -> Vec<(i32, String)> {
        let (mut last, mut repeated) = (Vec::new(), 0);
        let is_over = settles(|| {
            std::thread::sleep(Duration::from_millis(90));
            let now = self.processes();
            let is_quiet = !now.iter().any(|(pid, name)| is_passing(*pid, name));
            repeated = if is_quiet && now == last { repeated + 1 } else { 0 };
            last = now;
            repeated > 10
        });
        assert!(is_over, "the suite does not become quiet: {last:?}");
        last
    }
}

impl Home {
    fn path(&self, name: &str) -> PathBuf {
        match self {
            Home::OfAccounts(installation) => installation.path(name),
            Home::OfOneUser(instance) => instance.path(name),
        }
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file of the home");
        self.hand_over(&self.path(name));
    }

    /// To whom mail for aliases belongs.
    fn hand_over(&self, path: &Path) {
        let owner = match self {
            Home::OfAccounts(_) => harness::uid_of("alias"),
            Home::OfOneUser(_) => harness::owner_uid(),
        };
        chown(path, Some(owner), None).expect("an owner");
    }
}

fn parent_of(pid: i32) -> Option<i32> {
    harness::figures::stat(pid)?.get(1)?.parse().ok()
}

impl Drop for Suite {
    /// svscan first, or it would start again what is killed here; a supervise may do so once more.
    fn drop(&mut self) {
        let _ = self.svscan.child().kill();
        let ended = settles(|| {
            for (pid, _) in self.processes() {
                let _ = unix::process::kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
            self.processes().is_empty()
        });
        assert!(ended || std::thread::panicking(), "somebody lives on: {:?}", self.processes());
    }
}

/// The sender of every message, to whom the bounces go.
pub fn sender() -> String {
    format!("bounces@{HOST}")
}

/// The recipients of every message: a maildir, an mbox, nobody, another host.
pub fn recipients() -> Vec<String> {
    let mut recipients: Vec<String> =
        ["joe", "box", "gone"].iter().map(|name| format!("{name}@{HOST}")).collect();
    recipients.push("somebody@far.example".to_owned());
    recipients
}
