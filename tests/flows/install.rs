//! A real installation, with the accounts of the mail system: what root installs, checks and starts.

use crate::mail::messages;
use harness::{Call, Outcome, Running, free_port, installable, is_root, processes_in, scratch};
use harness::{settles, skipped, wait_until};
use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use unix::account::{self, Account};
use unix::process::Pid;
use unix::signal::Signal;

const HOST: &str = "mail.example.org";
/// The user that the test makes, and removes at its end.
const USER: &str = "suite-test-joe";

/// Tests run beside each other, and programs that add accounts do not.
static ACCOUNTS: Mutex<()> = Mutex::new(());

/// An installation of root's in a scratch directory.
struct Installation {
    scratch: tempfile::TempDir,
    services: Vec<Running>,
}

impl Installation {
    /// Makes it, or says why that is not possible.
    fn new() -> Option<Installation> {
        if !is_root() {
            skipped("only root can install the mail system with its accounts");
            return None;
        }
        let installation = Installation { scratch: scratch(), services: Vec::new() };
        let guard = ACCOUNTS.lock();
        installation.must(&["accounts"]);
        drop(guard);
        installation.must(&["install", &installation.home()]);
        installation.must(&["config", &installation.home(), HOST]);
        Some(installation)
    }

    fn home(&self) -> String {
        self.path("").to_str().expect("an ASCII path").trim_end_matches('/').to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join("mail").join(name)
    }

    fn setup(&self, words: &[&str]) -> Outcome {
        Call::path(&installable(self.scratch.path()).join("qmail-setup")).args(words).run()
    }

    fn must(&self, words: &[&str]) {
        let outcome = self.setup(words);
        assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""), "{words:?}");
    }

    /// The complaints of `qmail-setup check`.
    fn complaints(&self) -> Vec<String> {
        let outcome = self.setup(&["check", &self.home()]);
        let complaints: Vec<String> = outcome.out_text().lines().map(str::to_owned).collect();
        assert_eq!(outcome.code, if complaints.is_empty() { 0 } else { 100 }, "{complaints:?}");
        assert_eq!(outcome.err_text(), "");
        complaints
    }

    /// Starts supervise with a service and supervise with its log, connected as svscan would connect them.
    fn start(&mut self, service: &str) {
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

    fn processes(&self) -> Vec<(i32, String)> {
        processes_in(&self.path("bin"))
    }

    /// The user names that run each program at this moment.
    fn who_runs_what(&self) -> BTreeMap<String, String> {
        let owner = |pid: i32| {
            let uid = fs::metadata(format!("/proc/{pid}")).ok()?.uid();
            Some(account::find_uid(uid).ok()??.name)
        };
        let named = self.processes().into_iter().filter_map(|(pid, name)| Some((name, owner(pid)?)));
        named.collect()
    }

    /// Ends the services as an administrator would.
    fn stop(&mut self) {
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

/// An ordinary user, whose home is below a directory of the test's, until the end of the test.
struct OrdinaryUser {
    account: Account,
}

impl OrdinaryUser {
    fn new(place: &Path) -> OrdinaryUser {
        let home = place.join("joe");
        let _guard = ACCOUNTS.lock();
        // One may be left from a test that was killed.
        let _ = Command::new("userdel").arg(USER).stderr(Stdio::null()).status();
        let made =
            Command::new("useradd").args(["--no-create-home", "--home-dir"]).arg(&home).arg(USER).status();
        assert!(made.is_ok_and(|status| status.success()), "useradd {USER}");
        let account = account::find_user(USER.as_bytes()).expect("the users").expect("the user");
        fs::create_dir(&home).expect("a home directory");
        chown(&home, Some(account.uid), Some(account.gid)).expect("its owner");
        OrdinaryUser { account }
    }

    /// A call made by the user.
    fn call(&self, program: &Path) -> Call {
        let mut call = Call::path(program).env_clear().env("USER", USER).env("PATH", "/usr/bin:/bin");
        call.command().uid(self.account.uid).gid(self.account.gid);
        call
    }
}

impl Drop for OrdinaryUser {
    fn drop(&mut self) {
        let _ = Command::new("userdel").arg(USER).stderr(Stdio::null()).status();
    }
}

fn uid_of(name: &str) -> u32 {
    account::find_user(name.as_bytes()).expect("the users").expect(name).uid
}

#[test]
fn an_installation_is_as_the_manual_says_and_check_names_whatever_differs() {
    let Some(installation) = Installation::new() else { return };
    assert_eq!(installation.complaints(), Vec::<String>::new());
    let qmail = account::find_group("qmail").expect("the groups").expect("the group qmail");
    for (name, owner, mode) in [
        ("", "root", 0o755),
        ("control", "root", 0o755),
        ("alias", "alias", 0o2755),
        ("queue", "qmailq", 0o750),
        ("queue/pid", "qmailq", 0o700),
        ("queue/intd", "qmailq", 0o700),
        ("queue/todo", "qmailq", 0o750),
        ("queue/bounce", "qmails", 0o700),
        ("queue/mess/22", "qmailq", 0o750),
        ("queue/info/0", "qmails", 0o700),
        ("queue/local/7", "qmails", 0o700),
        ("queue/remote", "qmails", 0o700),
        ("queue/lock", "qmailq", 0o750),
        ("queue/lock/tcpto", "qmailr", 0o644),
        ("queue/lock/sendmutex", "qmails", 0o600),
        ("queue/lock/trigger", "qmails", 0o622),
        ("bin/qmail-queue", "qmailq", 0o4711),
        ("bin/qmail-lspawn", "root", 0o700),
        ("bin/qmail-start", "root", 0o700),
        ("bin/qmail-send", "root", 0o711),
        ("bin/qmail-local", "root", 0o711),
        ("bin/qmail-inject", "root", 0o755),
    ] {
        let found = fs::symlink_metadata(installation.path(name)).expect(name);
        let expected = (uid_of(owner), qmail, mode);
        assert_eq!((found.uid(), found.gid(), found.mode() & 0o7777), expected, "{name}");
    }
    assert_eq!(fs::metadata(installation.path("queue/lock/tcpto")).expect("tcpto").len(), 1024);
    let trigger = fs::symlink_metadata(installation.path("queue/lock/trigger")).expect("the trigger");
    assert!(trigger.file_type().is_fifo());
    for (file, text) in
        [("me", "mail.example.org\n"), ("plusdomain", "example.org\n"), ("rcpthosts", "mail.example.org\n")]
    {
        assert_eq!(fs::read_to_string(installation.path("control").join(file)).expect(file), text);
    }

    for (name, mode) in [
        ("control", 0o775),
        ("alias", 0o755),
        ("queue", 0o755),
        ("queue/mess/3", 0o755),
        ("queue/info/0", 0o750),
        ("queue/lock/tcpto", 0o600),
        ("queue/lock/sendmutex", 0o644),
        ("queue/lock/trigger", 0o600),
        ("bin/qmail-queue", 0o711),
        ("bin/qmail-start", 0o755),
        ("bin/sendmail", 0o711),
    ] {
        let path = installation.path(name);
        let right = fs::metadata(&path).expect(name).permissions();
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("another mode");
        let text = format!("{}: has mode {mode:04o}, not {:04o}", path.display(), right.mode() & 0o7777);
        assert_eq!(installation.complaints(), [text]);
        fs::set_permissions(&path, right).expect("the right mode");
    }
    for name in [
        "users",
        "queue/todo",
        "queue/local/22",
        "queue/lock/trigger",
        "queue/lock/tcpto",
        "bin/qmail-queue",
        "bin/svc",
    ] {
        let path = installation.path(name);
        let right = fs::metadata(&path).expect(name);
        for (uid, gid, what) in [(Some(65_534), None, "user"), (None, Some(65_534), "group")] {
            chown(&path, uid, gid).expect("another owner");
            let complaints = installation.complaints();
            let (owner, group) = (right.uid(), right.gid());
            let number = if what == "user" { owner } else { group };
            let text = format!("{}: belongs to {what} 65534, not {number}", path.display());
            assert_eq!(complaints.first(), Some(&text));
            assert!(complaints.iter().all(|line| line.starts_with(&format!("{}: ", path.display()))));
            chown(&path, Some(owner), Some(group)).expect("the right owner");
            fs::set_permissions(&path, right.permissions())
                .expect("the mode, of which chown takes a bit away");
        }
    }
    let (trigger, mutex, away) = (
        installation.path("queue/lock/trigger"),
        installation.path("queue/lock/sendmutex"),
        installation.path("queue/lock/away"),
    );
    fs::rename(&trigger, &away).expect("a trigger that is away");
    assert_eq!(installation.complaints(), [format!("{}: file does not exist", trigger.display())]);
    fs::hard_link(&mutex, &trigger).expect("a file in its place");
    assert_eq!(installation.complaints(), [format!("{}: is not a named pipe", trigger.display())]);
    fs::remove_file(&trigger).and_then(|()| fs::rename(&away, &trigger)).expect("the trigger again");
    assert_eq!(installation.complaints(), Vec::<String>::new());

    // Installing again mends what differs, and touches no settings.
    fs::set_permissions(installation.path("queue/todo"), Permissions::from_mode(0o700)).expect("a mode");
    fs::remove_dir(installation.path("queue/remote/5")).expect("a directory that is missing");
    fs::write(installation.path("control/rcpthosts"), "changed.example\n").expect("a setting");
    installation.must(&["install", &installation.home()]);
    assert_eq!(installation.complaints(), Vec::<String>::new());
    let setting = fs::read_to_string(installation.path("control/rcpthosts")).expect("the setting");
    assert_eq!(setting, "changed.example\n");
}

#[test]
fn mail_goes_through_a_real_installation_and_each_program_runs_as_its_account() {
    let Some(mut installation) = Installation::new() else { return };
    let joe = OrdinaryUser::new(installation.scratch.path());
    let home = installation.scratch.path().join("joe");
    let maildir = home.join("Maildir");
    assert_eq!(joe.call(&installation.path("bin/maildirmake")).arg(&maildir).run().code, 0);
    fs::write(installation.path("control/concurrencyremote"), "0\n").expect("a setting");
    let port = free_port();
    let run = installation.path("service/smtpd/run");
    let script = fs::read_to_string(&run).expect("the script");
    let script = script.replace("HOST=0\nPORT=smtp\n", &format!("HOST=127.0.0.1\nPORT={port}\n"));
    harness::put_program(&run, script);
    installation.start("qmail");
    installation.start("smtpd");
    wait_until("smtpd answers", || TcpStream::connect(("127.0.0.1", port)).is_ok());

    // By the user, for himself; by the network, for his extension and for an alias.
    let inject = joe.call(&installation.path("bin/qmail-inject"));
    let outcome = inject.arg(format!("{USER}@{HOST}")).input("Subject: injected\n\nx\n").run();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    fs::write(home.join(".qmail-ext"), "|id -un >who; id -G >>who; pwd >>who\n./Maildir/\n")
        .expect("instructions");
    chown(home.join(".qmail-ext"), Some(joe.account.uid), Some(joe.account.gid)).expect("their owner");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    // A child of qmail-lspawn on its way to qmail-local would show the name of one and the account of the other.
    wait_until("the injected message is delivered", || messages(&maildir).len() == 1);
    wait_until("qmail-smtpd runs", || installation.who_runs_what().contains_key("qmail-smtpd"));
    let running = installation.who_runs_what();
    let session = format!(
        "HELO client\r\nMAIL FROM:<s@src.example>\r\nRCPT TO:<{USER}-ext@{HOST}>\r\nRCPT TO:<postmaster@{HOST}>\r\n\
         RCPT TO:<x@elsewhere.example>\r\nDATA\r\nSubject: by SMTP\r\n\r\nx\r\n.\r\nQUIT\r\n"
    );
    stream.write_all(session.as_bytes()).expect("a session");
    let mut replies = String::new();
    stream.read_to_string(&mut replies).expect("the replies");
    // 127.0.0.1 may relay; the remote recipient is taken, and stays in the queue.
    assert_eq!(replies.matches("\n250 ok").count(), 5, "{replies}");

    let new = maildir.join("new");
    wait_until("both messages are delivered", || fs::read_dir(&new).expect("a maildir").count() == 2);
    for entry in fs::read_dir(&new).expect("a maildir").flatten() {
        let found = entry.metadata().expect("the message");
        assert_eq!((found.uid(), found.mode() & 0o777), (joe.account.uid, 0o600));
    }
    let texts = messages(&maildir);
    let injected = texts.iter().find(|text| text.contains("Subject: injected")).expect("the first message");
    assert!(injected.contains(&format!(" invoked by uid {}); ", joe.account.uid)), "{injected}");
    assert!(injected.contains(&format!("\nFrom: {USER}@{HOST}\n")), "{injected}");
    let by_smtp = texts.iter().find(|text| text.contains("Subject: by SMTP")).expect("the second message");
    assert!(by_smtp.contains(" invoked from network); "), "{by_smtp}");
    let who = format!("{USER}\n{}\n{}\n", joe.account.gid, home.display());
    assert_eq!(fs::read_to_string(home.join("who")).expect("what the program wrote"), who);
    let aliases = installation.path("alias/Maildir");
    wait_until("the alias has its copy", || messages(&aliases).len() == 1);
    assert_eq!(fs::metadata(aliases.join("new")).expect("a maildir").uid(), uid_of("alias"));

    for (program, account) in [
        ("supervise", "root"),
        ("qmail-lspawn", "root"),
        ("qmail-send", "qmails"),
        ("qmail-rspawn", "qmailr"),
        ("qmail-clean", "qmailq"),
        ("tcpserver", "qmaild"),
        ("qmail-smtpd", "qmaild"),
        ("accustamp", "qmaill"),
        ("cyclog", "qmaill"),
    ] {
        assert_eq!(running.get(program).map(String::as_str), Some(account), "{program}: {running:?}");
    }
    for (program, account) in &running {
        let may_be_root = ["supervise", "qmail-lspawn"].contains(&program.as_str());
        assert!(may_be_root || account != "root", "{program} runs as root");
    }
    // The message to elsewhere waits. Root may hold it, and nobody else may even look.
    let queuectl = installation.path("bin/qmail-queuectl");
    for words in [&["list"][..], &["remove", "-a"]] {
        let outcome = joe.call(&queuectl).args(words).run();
        assert_eq!((outcome.code, outcome.out_text().as_str()), (100, ""));
        assert!(
            outcome.err_text().ends_with(" only root and qmails may control the queue\n"),
            "{}",
            outcome.err_text()
        );
    }
    let held = harness::Call::path(&queuectl).args(["hold", "-h", "elsewhere.example"]).run();
    assert_eq!((held.code, held.out_text().ends_with(": held\n")), (0, true), "{}", held.err_text());
    assert_eq!(installation.complaints(), Vec::<String>::new());
    installation.stop();
    for (service, line) in [("qmail", " status: exiting\n"), ("smtpd", " tcpserver: status: 0/40\n")] {
        let entries =
            fs::read_dir(installation.path("log").join(service)).expect("a log directory").flatten();
        let files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        assert!(!files.is_empty());
        for file in &files {
            assert_eq!(fs::metadata(file).expect("a log file").uid(), uid_of("qmaill"), "{}", file.display());
        }
        let texts = files.iter().map(|file| fs::read_to_string(file).expect("an ASCII log"));
        assert!(texts.collect::<String>().contains(line), "{service}");
    }
}
