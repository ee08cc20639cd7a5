//! One installation of an experiment, its messages, and what is found in its mailboxes afterwards.
//!
//! Every message goes to three recipients: `joe`, who has a maildir, `gone`, whom nobody knows, so that it bounces, and
//! one on another host. So each has three ends, and each end is held against the ledger.

use super::super::ledger::{Ledger, Number, Verdict};
use super::super::smtp_session::Answer;
use super::route::Route;
use harness::{HOST, Instance, Running, STRAY_HOURS, SmtpSink, messages, set_age, wait_until};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use unix::process::Pid;
use unix::signal::Signal;

/// The sender of every message, to whom the bounces go.
pub fn sender() -> String {
    format!("bounces@{HOST}")
}

/// The three recipients of every message.
pub fn recipients() -> [String; 3] {
    [format!("joe@{HOST}"), format!("gone@{HOST}"), "somebody@far.example".to_owned()]
}

/// The installation with what belongs to it.
pub struct Laboratory {
    pub instance: Instance,
    pub ledger: Ledger,
    pub next_host: SmtpSink,
    owner: u32,
    /// What programs have in their environment beside PATH.
    pub variables: Vec<(String, String)>,
    manager: Option<Running>,
}

impl Laboratory {
    /// An installation with its mailboxes, in which nothing runs. Queue and mailboxes may lie elsewhere:
    /// `prepare` is called before there are any.
    pub fn new(prepare: impl FnOnce(&Instance)) -> Laboratory {
        let instance = Instance::new();
        let next_host = SmtpSink::start().expect("the next host");
        prepare(&instance);
        instance.install();
        instance.write("control/smtproutes", next_host.route());
        for name in ["joe", "bounces"] {
            instance.mailbox(name);
        }
        let owner = harness::owner_uid();
        let ledger = Ledger::default();
        Laboratory { instance, ledger, next_host, owner, variables: Vec::new(), manager: None }
    }

    /// Gives everything to another user: one who has no other processes.
    pub fn hand_over(&mut self, owner: u32) {
        let mut chown = Command::new("chown");
        chown.args(["-R", &format!("{owner}:{owner}")]).arg(self.instance.path(""));
        assert!(chown.status().is_ok_and(|status| status.success()), "chown to {owner}");
        self.owner = owner;
    }

    /// A command as its owner would call it, with PATH and the laboratory's variables in the environment.
    pub fn command(&self, words: &[String]) -> Command {
        let (program, arguments) = words.split_first().expect("a program");
        let mut command = self.instance.command(Path::new(program));
        command.args(arguments).envs(self.variables.clone());
        if harness::is_root() {
            use std::os::unix::process::CommandExt;
            command.uid(self.owner).gid(self.owner);
        }
        command
    }

    /// The path of one of its programs, as a word.
    pub fn program(&self, name: &str) -> String {
        self.instance.path("bin").join(name).to_str().expect("an ASCII path").to_owned()
    }

    /// Sends a new message this way, with these words in front of the program; notes what the program says of it.
    pub fn send(&self, route: Route, before: &[String]) -> Answer {
        let number = self.ledger.draw();
        let answer = route.send(self, number, before);
        if answer == Answer::Accepted {
            self.ledger.acknowledge(number);
        }
        answer
    }

    /// Starts qmail-start with these words in front of it; it may fail.
    pub fn start(&mut self, before: &[String]) {
        assert!(self.manager.is_none(), "one queue manager at a time");
        let words = [before, &[self.program("qmail-start"), "./Maildir/".to_owned()]].concat();
        let mut command = self.command(&words);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut running = Running::start(&mut command);
        let mut pipe = running.child().stdout.take().expect("a pipe");
        let opened = File::options().create(true).append(true).open(self.instance.beside("log"));
        let mut log = opened.expect("a log");
        // A pipe, because a file would be subject to the limits on files.
        std::thread::spawn(move || std::io::copy(&mut pipe, &mut log));
        self.manager = Some(running);
    }

    /// Starts it without limits, and waits until it is ready.
    pub fn start_well(&mut self) {
        self.instance.clear_log();
        self.start(&[]);
        self.instance.wait_for_log("status: local 0/");
    }

    /// Lets another process be the queue manager: this one is about to be killed, and does not take all others with it.
    pub fn leave_manager(&mut self) {
        self.manager = None;
    }

    /// Whether the queue manager runs.
    pub fn is_running(&mut self) -> bool {
        self.manager.as_mut().is_some_and(Running::is_alive)
    }

    /// Waits until nothing changes any more: the log, the queue and the processes.
    pub fn wait_until_quiet(&mut self) {
        let mut last = None;
        let mut repeated = 0;
        wait_until("nothing changes", || {
            let now = (self.instance.log().len(), self.instance.queue(), self.instance.processes());
            repeated = if last.as_ref() == Some(&now) { repeated + 1 } else { 0 };
            last = Some(now);
            repeated > 8
        });
    }

    /// Ends the queue manager; whoever does not end is killed, and whatever was being delivered may come twice.
    ///
    /// # Errors
    /// It had to be killed.
    pub fn stop(&mut self) -> Result<(), String> {
        let Some(mut manager) = self.manager.take() else { return Ok(()) };
        if manager.is_alive() {
            manager.signal(Signal::SIGTERM);
        }
        let ended = harness::settles(|| !manager.is_alive() && self.instance.processes().is_empty());
        if !ended {
            let left = self.instance.processes();
            self.kill_all();
            return Err(format!("told to end, these did not: {left:?}"));
        }
        Ok(())
    }

    /// Kills everything that runs here.
    pub fn kill_all(&mut self) {
        self.manager = None;
        for (pid, _) in self.instance.processes() {
            let _ = unix::process::kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        wait_until("everybody is dead", || self.instance.processes().is_empty());
    }

    /// With all resources back: new mail is accepted, and the queue empties itself.
    pub fn recover(&mut self) {
        if !self.is_running() {
            self.kill_all();
            self.start_well();
        }
        let answer = self.send(Route::Queue, &[]);
        assert_eq!(answer, Answer::Accepted, "with everything there again");
        // One look may miss a bounce that passes from todo to info.
        let mut empty_looks = 0;
        let done = harness::settles(|| {
            // What failed for now is due now; nobody wants to wait for its turn.
            if let Some(pid) = self.instance.pid_of("qmail-send") {
                let _ = unix::process::kill(Pid::from_raw(pid), Signal::SIGALRM);
            }
            empty_looks = if self.waiting().is_empty() { empty_looks + 1 } else { 0 };
            empty_looks > 2
        });
        assert!(done, "{:?} {:?}\n{}", self.instance.processes(), self.waiting(), self.instance.log());
    }

    /// The files of the queue that somebody waits for. A mess or intd file alone is a stray: nobody's message.
    pub fn waiting(&self) -> Vec<String> {
        let queue = self.instance.queue();
        let number = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
        let is_named = |name: &String| ["todo/", "info/"].iter().any(|kind| name.starts_with(kind));
        let named: Vec<String> =
            queue.iter().filter(|name| is_named(name)).map(|name| number(name)).collect();
        queue.into_iter().filter(|name| named.contains(&number(name))).collect()
    }

    /// Collects what killed qmail-queues left, as would happen after 36 hours, and looks that nothing else is there.
    pub fn collect_strays(&mut self) {
        self.stop().expect("an end");
        for name in self.instance.queue() {
            assert!(["mess/", "intd/", "pid/"].iter().any(|kind| name.starts_with(kind)), "{name}");
            set_age(&self.instance.path("queue").join(&name), STRAY_HOURS).expect("an age");
        }
        self.start_well();
        let is_stray = |name: &String| !name.starts_with("pid/");
        wait_until("no stray is left", || !self.instance.queue().iter().any(is_stray));
        self.stop().expect("an end");
    }

    /// Holds the three ends of all messages against the ledger, and forgets them.
    pub fn judge(&mut self) -> Verdict {
        let everybody = |_: Number| true;
        let mut verdict = Verdict::default();
        for name in ["joe", "bounces"] {
            let maildir = self.maildir(name);
            verdict = verdict.and(self.ledger.judge(name, &messages(&maildir), everybody));
            for entry in fs::read_dir(maildir.join("new")).expect("a maildir").flatten() {
                fs::remove_file(entry.path()).expect("a message");
            }
        }
        verdict = verdict.and(self.ledger.judge("far", &self.next_host.take_texts(), everybody));
        self.ledger = Ledger::default();
        verdict
    }

    fn maildir(&self, name: &str) -> PathBuf {
        self.instance.path("alias").join(name)
    }
}

impl Drop for Laboratory {
    /// Before the instance, whose processes would otherwise outlive the queue manager.
    fn drop(&mut self) {
        self.manager = None;
    }
}
