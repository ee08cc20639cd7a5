//! A queue that netqmail left behind is delivered from, and one that ours leaves has the same names, owners, modes
//! and bytes. Both are laid out here by hand, in an installation of one user and in one of root's with its accounts.

use harness::Installation;
use harness::messages;
use harness::{HOST, Instance, Running, owner_uid, wait_until};
use std::fs::{self, File, FileTimes, Permissions};
use std::io::{Seek, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};
use unix::account;
use unix::signal::Signal;

/// An installation with nothing running, and the numbers of those who own parts of it.
struct Site {
    home: PathBuf,
    qmailq: u32,
    qmails: u32,
    alias: u32,
    group: u32,
    /// Who runs things; 0 in root's installation.
    runner: u32,
    log: PathBuf,
    kept: Kept,
}

/// What the installation lies in, to be removed at the end.
enum Kept {
    OneUser { _instance: Instance },
    Roots { _installation: Installation },
}

impl Site {
    fn of_one_user() -> Site {
        let instance = Instance::new();
        let (home, log) = (instance.path(""), instance.beside("exchange-log"));
        let uid = owner_uid();
        let group = fs::metadata(&home).expect("the home").gid();
        let kept = Kept::OneUser { _instance: instance };
        Site { home, qmailq: uid, qmails: uid, alias: uid, group, runner: uid, log, kept }
    }

    fn of_root() -> Option<Site> {
        let installation = Installation::new()?;
        let uid = |name: &str| account::find_user(name.as_bytes()).expect("users").expect(name).uid;
        Some(Site {
            home: installation.path(""),
            qmailq: uid("qmailq"),
            qmails: uid("qmails"),
            alias: uid("alias"),
            group: account::find_group("qmail").expect("groups").expect("qmail"),
            runner: 0,
            log: installation.beside("exchange-log"),
            kept: Kept::Roots { _installation: installation },
        })
    }

    fn queue(&self, name: &str) -> PathBuf {
        self.home.join("queue").join(name)
    }

    /// A maildir of the account alias, for `NAME@HOST`.
    fn mailbox(&self, name: &str) -> PathBuf {
        let maildir = self.home.join("alias").join(name);
        for part in ["", "tmp", "new", "cur"] {
            fs::create_dir(maildir.join(part)).expect("a maildir");
            chown(maildir.join(part), Some(self.alias), None).expect("its owner");
        }
        self.alias(name, &format!("./{name}/\n"));
        maildir
    }

    fn alias(&self, name: &str, instructions: &str) {
        let path = self.home.join(format!("alias/.qmail-{name}"));
        fs::write(&path, instructions).expect("instructions");
        chown(&path, Some(self.alias), None).expect("their owner");
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.home.join("bin").join(name));
        command.env_clear().env("PATH", "/usr/bin:/bin").current_dir("/");
        if let (Kept::OneUser { .. }, true) = (&self.kept, harness::is_root()) {
            std::os::unix::process::CommandExt::uid(&mut command, self.runner);
            std::os::unix::process::CommandExt::gid(&mut command, self.runner);
        }
        command
    }

    fn start(&self) -> Running {
        let _ = fs::remove_file(&self.log);
        let log = File::create(&self.log).expect("a log");
        let mut command = self.command("qmail-start");
        command.arg("./Maildir/").stdin(Stdio::null()).stdout(log).stderr(Stdio::null());
        let running = Running::start(&mut command);
        wait_until("qmail-send is ready", || self.log().contains("status: local 0/"));
        running
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn stop(&self, mut running: Running) {
        running.signal(Signal::SIGTERM);
        assert_eq!(running.wait(), 0, "{}", self.log());
        let bin = self.home.join("bin");
        wait_until("all processes have ended", || harness::processes_in(&bin).is_empty());
    }

    /// Queues a message with qmail-queue; its process number.
    fn enqueue(&self, envelope: &[u8], message: &[u8]) -> u32 {
        let file = |bytes: &[u8]| {
            let mut file = tempfile::tempfile().expect("a file");
            file.write_all(bytes).and_then(|()| file.rewind()).expect("its contents");
            file
        };
        let mut command = self.command("qmail-queue");
        let mut child = command.stdin(file(message)).stdout(file(envelope)).spawn().expect("qmail-queue");
        let pid = child.id();
        assert!(child.wait().expect("its end").success());
        pid
    }

    /// Everything in the queue but the directories and `lock`: name, owner, group, mode.
    fn files(&self) -> Vec<(String, u32, u32, u32)> {
        let mut found = Vec::new();
        collect(&self.queue(""), "", &mut found);
        // What is no message: the locks, and our socket, which no other qmail looks at.
        found.retain(|(name, ..)| !name.starts_with("lock/") && !name.starts_with("queuectl/"));
        found.sort();
        found
    }
}

fn collect(directory: &Path, prefix: &str, found: &mut Vec<(String, u32, u32, u32)>) {
    for entry in fs::read_dir(directory).expect("a directory of the queue").flatten() {
        // A file may be gone by now.
        let Ok(seen) = entry.metadata() else { continue };
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if seen.is_dir() {
            collect(&entry.path(), &format!("{name}/"), found);
        } else {
            found.push((name, seen.uid(), seen.gid(), seen.mode() & 0o7777));
        }
    }
}

/// A message that is laid out by hand.
struct Message<'a> {
    site: &'a Site,
    number: u64,
}

impl<'a> Message<'a> {
    /// S2: a file in pid, whose number becomes the message's, linked into mess. `Received` and all.
    fn new(site: &'a Site, subject: &str) -> Message<'a> {
        let first = site.queue("pid/4711.1795350587.1");
        let text = format!(
            "Received: (qmail 4711 invoked by uid 5001); 22 Nov 2026 12:16:41 -0000\nSubject: {subject}\n\nbody\n"
        );
        fs::write(&first, text).expect("a message");
        give(&first, site.qmailq, site.group, 0o644);
        let message = Message { site, number: fs::metadata(&first).expect("the message").ino() };
        fs::hard_link(&first, message.path("mess")).expect("mess");
        fs::remove_file(&first).expect("the first name");
        message
    }

    /// S3 or S4: the envelope in intd, which is the same file as the one in todo.
    fn queued(self, envelope: &str, names: &[&str]) -> Message<'a> {
        let first = self.path(names[0]);
        fs::write(&first, format!("u5001\0p4711\0{envelope}")).expect("an envelope");
        give(&first, self.site.qmailq, self.site.group, 0o644);
        names[1..].iter().for_each(|name| fs::hard_link(&first, self.path(name)).expect("a second name"));
        self
    }

    /// A file of qmail-send.
    fn with(self, kind: &str, bytes: &str) -> Message<'a> {
        fs::write(self.path(kind), bytes).expect("a file of the message");
        give(&self.path(kind), self.site.qmails, self.site.group, 0o600);
        self
    }

    /// As if the file had been made, or were due, so many hours ago.
    fn aged(self, kind: &str, hours: u64) -> Message<'a> {
        let time = SystemTime::now() - Duration::from_secs(hours * 3600);
        let file = File::options().write(true).open(self.path(kind)).expect("a file of the message");
        file.set_times(FileTimes::new().set_accessed(time).set_modified(time)).expect("its times");
        self
    }

    fn path(&self, kind: &str) -> PathBuf {
        let number = self.number;
        self.site.queue(&if ["intd", "todo", "bounce"].contains(&kind) {
            format!("{kind}/{number}")
        } else {
            format!("{kind}/{}/{number}", number % 23)
        })
    }
}

fn give(path: &Path, uid: u32, gid: u32, mode: u32) {
    if harness::is_root() {
        chown(path, Some(uid), Some(gid)).expect("an owner");
    }
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
}

/// Messages in all states, and what becomes of each.
fn delivers_what_another_qmail_left(site: &Site) {
    let (joe, wrong) = (site.mailbox("joe"), site.mailbox("wrong"));
    site.alias("later", "|exit 111\n");
    let (to_joe, to_wrong) = (format!("Tjoe@{HOST}\0"), format!("Twrong@{HOST}\0"));
    let (from, done) = (format!("Fjoe@{HOST}\0"), format!("Dwrong@{HOST}\0"));
    let message = |subject: &str| Message::new(site, subject);
    // Not accepted: collected if nobody can be writing them any more, else left alone.
    message("old S2").aged("mess", 37);
    message("old S3").queued(&format!("{from}{to_wrong}"), &["intd"]).aged("mess", 37);
    let young = message("young S3").queued(&format!("{from}{to_wrong}"), &["intd"]);
    // Accepted.
    message("S4").queued(&format!("{from}{to_joe}"), &["intd", "todo"]);
    message("S4 while it was preprocessed")
        .queued(&format!("{from}{to_joe}"), &["intd", "todo"])
        .with("info", &from)
        .with("local", &to_wrong);
    message("S4 without intd").queued(&format!("{from}{to_joe}"), &["todo"]);
    message("S4 to nobody").queued(&from, &["intd", "todo"]);
    // Preprocessed.
    message("S5").with("info", &from).with("local", &format!("{done}{to_joe}")).aged("local", 1);
    message("S5 whose remote recipients are done")
        .with("info", &from)
        .with("local", &to_joe)
        .with("remote", "Da@far.example\0Db@far.example\0");
    message("S5 all done").with("info", &from).with("local", &done);
    message("S5 with a bounce").with("info", &from).with("bounce", "<gone@far.example>:\nno such user\n\n");
    message("S5 too old").with("info", &from).with("local", &format!("Tlater@{HOST}\0")).aged("info", 169);

    let running = site.start();
    let left =
        || site.files().iter().filter(|(name, ..)| !name.ends_with(&format!("/{}", young.number))).count();
    let settled = harness::settles(|| left() == 0);
    assert!(settled, "{:?}\n{}", site.files(), site.log());
    assert!(young.path("mess").exists() && young.path("intd").exists());
    site.stop(running);
    assert_eq!(messages(&wrong), Vec::<String>::new());
    let texts = messages(&joe);
    let about =
        |line: &str| texts.iter().filter(|text| text.contains(line)).cloned().collect::<Vec<String>>();
    for subject in
        ["S4", "S4 while it was preprocessed", "S4 without intd", "S5", "S5 whose remote recipients are done"]
    {
        let whole = format!(
            "\nReceived: (qmail 4711 invoked by uid 5001); 22 Nov 2026 12:16:41 -0000\nSubject: {subject}\n\nbody\n"
        );
        let found = about(&whole);
        assert_eq!(found.len(), 1, "{subject}: {texts:#?}");
        assert!(
            found[0].starts_with(&format!("Return-Path: <joe@{HOST}>\nDelivered-To: joe@{HOST}\n")),
            "{found:?}"
        );
    }
    let bounces = about("\nSubject: failure notice\n");
    assert_eq!((bounces.len(), texts.len()), (2, 7), "{texts:#?}");
    assert_eq!(about("<gone@far.example>:\nno such user\n\n--- Below this line").len(), 1, "{bounces:#?}");
    assert_eq!(
        about(&format!(
            "<later@{HOST}>:\nI'm not going to try again; this message has been in the queue too long.\n"
        ))
        .len(),
        1
    );
}

/// The files after each step, as the specification of the queue has them.
fn leaves_what_another_qmail_can_read(site: &Site) {
    site.mailbox("joe");
    site.alias("later", "|exit 111\n");
    site.alias("never", "|echo 'no, thank you'; exit 100\n");
    fs::write(site.home.join("control/concurrencyremote"), "0\n").expect("a setting");
    let (joe, later, never) = (format!("joe@{HOST}"), format!("later@{HOST}"), format!("never@{HOST}"));
    let envelope = format!("Fs@far.example\0T{joe}\0T{later}\0Tx@far.example\0T{never}\0\0");
    let message = b"Subject: kept\n\n\xff\0body without end";
    let pid = site.enqueue(envelope.as_bytes(), message);

    // S4
    let names =
        |files: &[(String, u32, u32, u32)]| files.iter().map(|(name, ..)| name.clone()).collect::<Vec<_>>();
    let files = site.files();
    let number: u64 = files
        .iter()
        .find_map(|(name, ..)| name.strip_prefix("todo/"))
        .expect("todo")
        .parse()
        .expect("a number");
    let split = |kind: &str| format!("{kind}/{}/{number}", number % 23);
    assert_eq!(names(&files), [format!("intd/{number}"), split("mess"), format!("todo/{number}")]);
    for (name, uid, _, mode) in &files {
        assert_eq!((*uid, *mode), (site.qmailq, 0o644), "{name}");
    }
    let seen = |name: &str| fs::metadata(site.queue(name)).expect(name);
    assert_eq!(seen(&split("mess")).ino(), number);
    assert_eq!(seen(&format!("intd/{number}")).ino(), seen(&format!("todo/{number}")).ino());
    let todo = fs::read(site.queue(&format!("todo/{number}"))).expect("todo");
    let expected = format!("u{}\0p{pid}\0{}", site.runner, envelope.strip_suffix('\0').expect("its end"));
    assert_eq!(String::from_utf8_lossy(&todo), expected);
    let mess = fs::read(site.queue(&split("mess"))).expect("mess");
    let (received, rest) = mess.split_at(mess.len() - message.len());
    assert_eq!(rest, message);
    let received = String::from_utf8_lossy(received);
    // In a home of one user, who is also alias, that is who invoked it.
    let invoked = format!("Received: (qmail {pid} invoked by ");
    assert!(
        received.starts_with(&invoked) && received.ends_with(" -0000\n") && received.lines().count() == 1,
        "{received}"
    );

    // S5, with one recipient done, one deferred, one failed for good, and one waiting.
    let running = site.start();
    wait_until("three deliveries have ended", || {
        let log = site.log();
        ["success", "deferral", "failure"].iter().all(|word| log.contains(&format!(": {word}: ")))
    });
    site.stop(running);
    let files = site.files();
    let expected =
        [format!("bounce/{number}"), split("info"), split("local"), split("mess"), split("remote")];
    assert_eq!(names(&files), expected);
    for (name, uid, gid, mode) in &files {
        let expected = if name.starts_with("mess") { (site.qmailq, 0o644) } else { (site.qmails, 0o600) };
        assert_eq!((*uid, *mode), expected, "{name}");
        assert!(name.starts_with("mess") || *gid == site.group, "{name}");
    }
    let text = |name: &str| String::from_utf8(fs::read(site.queue(name)).expect(name)).expect("ASCII");
    assert_eq!(text(&split("info")), "Fs@far.example\0");
    assert_eq!(text(&split("local")), format!("D{joe}\0T{later}\0D{never}\0"));
    assert_eq!(text(&split("remote")), "Tx@far.example\0");
    assert_eq!(text(&format!("bounce/{number}")), format!("<{never}>:\nno, thank you\n\n"));
    assert_eq!(fs::read(site.queue(&split("mess"))).expect("mess"), mess);
    // The time of local is that of the next attempt: 100 seconds after birth, or more if the first took long; or 99,
    // because it was kept on the steady clock, whose seconds begin at other moments.
    let seconds = |name: &str| seen(name).mtime();
    let distance = seconds(&split("local")) - seconds(&split("info"));
    assert!((99..1000).contains(&distance), "{distance}");
    assert_eq!(seen(&split("local")).mtime_nsec(), 0);
}

#[test]
fn one_user_s_queue_of_another_qmail_is_delivered_from() {
    delivers_what_another_qmail_left(&Site::of_one_user());
}

#[test]
fn root_s_queue_of_another_qmail_is_delivered_from() {
    let Some(site) = Site::of_root() else { return };
    delivers_what_another_qmail_left(&site);
}

#[test]
fn one_user_s_queue_can_be_read_by_another_qmail() {
    leaves_what_another_qmail_can_read(&Site::of_one_user());
}

#[test]
fn root_s_queue_can_be_read_by_another_qmail() {
    let Some(site) = Site::of_root() else { return };
    leaves_what_another_qmail_can_read(&site);
}
