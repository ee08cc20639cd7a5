//! An installation of root's, in which each program runs as its own account.

use crate::{Call, HOST, Outcome, Running, installable, is_root, processes_in, scratch};
use crate::{settles, skipped, wait_until};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use unix::account;
use unix::process::Pid;
use unix::signal::Signal;

/// Tests run beside each other, and programs that add accounts do not.
pub(crate) static ACCOUNTS: Mutex<()> = Mutex::new(());

/// An installation of root's in a scratch directory.
pub struct Installation {
    scratch: tempfile::TempDir,
    services: Vec<Running>,
}

impl Installation {
    /// Makes it, or says why that is not possible.
    pub fn new() -> Option<Installation> {
        let installation = Installation::without_home()?;
        installation.must(&["install", &installation.home()]);
        installation.must(&["config", &installation.home(), HOST]);
        Some(installation)
    }

    /// The accounts, and a place for a home.
    pub fn without_home() -> Option<Installation> {
        if !is_root() {
            skipped("only root can install the mail system with its accounts");
            return None;
        }
        let installation = Installation { scratch: scratch(), services: Vec::new() };
        let guard = ACCOUNTS.lock();
        installation.must(&["accounts"]);
        drop(guard);
        Some(installation)
    }

    /// Its home, as arguments have it.
    pub fn home(&self) -> String {
        self.path("").to_str().expect("an ASCII path").trim_end_matches('/').to_owned()
    }

    /// A path below the home.
    pub fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join("mail").join(name)
    }

    /// A path beside the home, for the test's own files.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// Calls qmail-setup.
    pub fn setup(&self, words: &[&str]) -> Outcome {
        Call::path(&installable(self.scratch.path()).join("qmail-setup")).args(words).run()
    }

    /// Calls qmail-setup, which has to succeed in silence.
    pub fn must(&self, words: &[&str]) {
        let outcome = self.setup(words);
        assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""), "{words:?}");
    }

    /// The complaints of `qmail-setup check`.
    pub fn complaints(&self) -> Vec<String> {
        let outcome = self.setup(&["check", &self.home()]);
        let complaints: Vec<String> = outcome.out_text().lines().map(str::to_owned).collect();
        assert_eq!(outcome.code, if complaints.is_empty() { 0 } else { 100 }, "{complaints:?}");
        assert_eq!(outcome.err_text(), "");
        complaints
    }

    /// A call made by an account of the mail system, in its group alone.
    pub fn as_account(&self, name: &str, mut call: Call) -> Call {
        let account = account::find_user(name.as_bytes()).expect("the users").expect(name);
        call.command().uid(account.uid).gid(account.gid);
        call
    }

    /// Starts supervise with a service and supervise with its log, connected as svscan would connect them.
    pub fn start(&mut self, service: &str) {
        let (reader, writer) = unix::descriptor::pipe().expect("a pipe");
        let directory = self.path("service").join(service);
        let mut log = Command::new(self.path("bin/supervise"));
        log.arg(directory.join("log")).stdin(reader);
        let output = File::create(self.scratch.path().join(format!("{service}.out"))).expect("a file");
        log.stdout(output.try_clone().expect("the file")).stderr(output);
        let mut main = Command::new(self.path("bin/supervise"));
        main.arg(directory).stdin(Stdio::null()).stdout(writer.try_clone().expect("the pipe")).stderr(writer);
        self.services.push(Running::start(&mut main));
        self.services.push(Running::start(&mut log));
    }

    /// The running programs of this installation, with their names.
    pub fn processes(&self) -> Vec<(i32, String)> {
        processes_in(&self.path("bin"))
    }

    /// The user names that run each program at this moment.
    pub fn who_runs_what(&self) -> BTreeMap<String, String> {
        let owner = |pid: i32| {
            let uid = fs::metadata(format!("/proc/{pid}")).ok()?.uid();
            Some(account::find_uid(uid).ok()??.name)
        };
        let named = self.processes().into_iter().filter_map(|(pid, name)| Some((name, owner(pid)?)));
        named.collect()
    }

    /// Ends the services as an administrator would.
    pub fn stop(&mut self) {
        for service in ["smtpd", "qmail"] {
            let directory = self.path("service").join(service);
            for (letters, directory) in [("-dx", directory.clone()), ("-ox", directory.join("log"))] {
                let outcome = Call::path(&self.path("bin/svc")).arg(letters).arg(directory).run();
                assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
            }
        }
        let ended = self.services.iter_mut().all(|running| settles(|| !running.is_alive()));
        assert!(ended, "supervise does not end: {:?}", self.processes());
        wait_until("no process is left", || self.processes().is_empty());
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        self.services.clear();
        for (pid, _) in self.processes() {
            let _ = unix::process::kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// The number of an account.
pub fn uid_of(name: &str) -> u32 {
    account::find_user(name.as_bytes()).expect("the users").expect(name).uid
}
