//! A home that netqmail's `make setup` left: what `qmail-setup check` says of it, and what `install` makes of it.

use harness::Installation;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::path::Path;
use unix::account;

/// Programs of root's, by mode. qmail-queue is of qmailq.
const PROGRAMS: [(u32, &[&str]); 3] = [
    (0o700, &["qmail-lspawn", "qmail-newmrh", "qmail-newu", "qmail-start"]),
    (
        0o711,
        &[
            "qmail-clean",
            "qmail-getpw",
            "qmail-local",
            "qmail-popup",
            "qmail-pw2u",
            "qmail-remote",
            "qmail-rspawn",
            "qmail-send",
            "splogger",
        ],
    ),
    (
        0o755,
        &[
            "bouncesaying",
            "condredirect",
            "datemail",
            "except",
            "forward",
            "maildir2mbox",
            "maildirmake",
            "mailsubj",
            "predate",
            "preline",
            "qbiff",
            "qmail-inject",
            "qmail-pop3d",
            "qmail-qmqpc",
            "qmail-qmqpd",
            "qmail-qmtpd",
            "qmail-qread",
            "qmail-qstat",
            "qmail-showctl",
            "qmail-smtpd",
            "qmail-tcpok",
            "qmail-tcpto",
            "qreceipt",
            "sendmail",
            "tcp-env",
        ],
    ),
];

/// The home, laid out by hand as netqmail lays it out.
struct OldHome<'a> {
    path: &'a Path,
    group: u32,
}

impl<'a> OldHome<'a> {
    fn lay_out(path: &'a Path) -> OldHome<'a> {
        let group = account::find_group("qmail").expect("the groups").expect("the group qmail");
        let home = OldHome { path, group };
        for name in ["", "bin", "boot", "control", "doc", "man", "users"] {
            home.directory(name, "root", 0o755);
        }
        for part in ["man", "cat"] {
            [1, 5, 7, 8]
                .iter()
                .for_each(|section| home.directory(&format!("man/{part}{section}"), "root", 0o755));
        }
        home.directory("alias", "alias", 0o2755);
        for (mode, names) in PROGRAMS {
            names
                .iter()
                .for_each(|name| home.file(&format!("bin/{name}"), format!("old {name}"), "root", mode));
        }
        home.file("bin/qmail-queue", "old qmail-queue", "qmailq", 0o4711);
        for name in [
            "home", "home+df", "proc", "proc+df", "binm1", "binm1+df", "binm2", "binm2+df", "binm3",
            "binm3+df",
        ] {
            home.file(&format!("boot/{name}"), "#!/bin/sh\n# old\n", "root", 0o755);
        }
        home.file("rc", "#!/bin/sh\nexec sleep 1\n", "root", 0o755);
        home.file("man/man8/qmail-send.8", ".TH old\n", "root", 0o644);
        home.file("doc/FAQ", "old\n", "root", 0o644);
        home.file("control/me", "old.example\n", "root", 0o644);
        home.file("control/rcpthosts", "old.example\n", "root", 0o644);
        home.file("users/assign", ".\n", "root", 0o644);
        home.file("alias/.qmail-postmaster", "&joe\n", "alias", 0o644);
        home.queue();
        home
    }

    fn queue(&self) {
        for (name, owner, mode, split) in [
            ("", "qmailq", 0o750, false),
            ("/pid", "qmailq", 0o700, false),
            ("/intd", "qmailq", 0o700, false),
            ("/todo", "qmailq", 0o750, false),
            ("/bounce", "qmails", 0o700, false),
            ("/lock", "qmailq", 0o750, false),
            ("/mess", "qmailq", 0o750, true),
            ("/info", "qmails", 0o700, true),
            ("/local", "qmails", 0o700, true),
            ("/remote", "qmails", 0o700, true),
        ] {
            let name = format!("queue{name}");
            self.directory(&name, owner, mode);
            let parts = if split { 23 } else { 0 };
            (0..parts).for_each(|part| self.directory(&format!("{name}/{part}"), owner, mode));
        }
        self.file("queue/lock/tcpto", [0; 1024], "qmailr", 0o644);
        self.file("queue/lock/sendmutex", "", "qmails", 0o600);
        let trigger = self.path.join("queue/lock/trigger");
        unix::fifo::make(&trigger).expect("a FIFO");
        self.give("queue/lock/trigger", "qmails", 0o622);
        self.file("queue/mess/7/30", "Subject: kept\n\nx\n", "qmailq", 0o644);
    }

    fn directory(&self, name: &str, owner: &str, mode: u32) {
        fs::create_dir(self.path.join(name)).expect("a directory");
        self.give(name, owner, mode);
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>, owner: &str, mode: u32) {
        fs::write(self.path.join(name), text).expect("a file");
        self.give(name, owner, mode);
    }

    fn give(&self, name: &str, owner: &str, mode: u32) {
        let path = self.path.join(name);
        let uid = if owner == "root" {
            0
        } else {
            account::find_user(owner.as_bytes()).expect("users").expect(owner).uid
        };
        chown(&path, Some(uid), Some(self.group)).expect("an owner");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("a mode");
    }

    /// Everything that is there, but for the times of reading: kind, mode, owners, size, times of change, contents.
    fn snapshot(&self, part: &str) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        look(&self.path.join(part), &mut found);
        found
    }
}

fn look(path: &Path, found: &mut BTreeMap<String, String>) {
    let seen = fs::symlink_metadata(path).expect("metadata");
    let contents = if seen.is_file() { fs::read(path).expect("contents") } else { Vec::new() };
    let times = (seen.mtime(), seen.mtime_nsec(), seen.ctime(), seen.ctime_nsec());
    let text =
        format!("{:o} {}:{} {} {times:?} {contents:?}", seen.mode(), seen.uid(), seen.gid(), seen.ino());
    found.insert(path.display().to_string(), text);
    if seen.is_dir() {
        fs::read_dir(path).expect("a directory").flatten().for_each(|entry| look(&entry.path(), found));
    }
}

#[test]
fn check_says_what_install_would_change_in_a_home_of_netqmail_and_touches_nothing() {
    let Some(installation) = Installation::without_home() else { return };
    let path = installation.path("");
    let home = OldHome::lay_out(&path);
    let before = home.snapshot("");
    let complaints = installation.complaints();
    assert_eq!(home.snapshot(""), before);

    let relative: BTreeSet<String> = complaints
        .iter()
        .map(|line| line.strip_prefix(&format!("{}/", installation.home())).unwrap_or(line).to_owned())
        .collect();
    // Owners and modes are the same in both systems, so only contents differ, and what netqmail lacks.
    for line in &relative {
        let (name, difference) = line.split_once(": ").expect(line);
        let expected = match path.join(name).exists() {
            false => "file does not exist",
            true if name.starts_with("bin/") => "is another program",
            true => "has other contents",
        };
        assert_eq!(difference, expected, "{line}");
        assert!(
            (!name.starts_with("queue") || name == "queue/queuectl")
                && !name.starts_with("control")
                && !name.starts_with("alias"),
            "{line}"
        );
    }
    for line in [
        "bin/qmail-queue: is another program",
        "bin/qmail-send: is another program",
        "bin/supervise: file does not exist",
        "bin/svscanboot: file does not exist",
        "boot/home: has other contents",
        "man/man8/qmail-send.8: has other contents",
        "man/man5/dot-qmail.5: file does not exist",
        "service/qmail/run: file does not exist",
        "service/smtpd/rules.cdb: file does not exist",
        "log/qmail: file does not exist",
    ] {
        assert!(relative.contains(line), "{line}: {relative:#?}");
    }
    // What is not ours, or the administrator's own, is nobody's business.
    assert!(
        !relative
            .iter()
            .any(|line| ["rc:", "doc/", "man/cat", "users"].iter().any(|name| line.starts_with(name)))
    );
}

#[test]
fn check_names_owners_and_modes_that_differ_and_programs_that_are_links() {
    let Some(installation) = Installation::without_home() else { return };
    let path = installation.path("");
    let home = OldHome::lay_out(&path);
    let before: BTreeSet<String> = installation.complaints().into_iter().collect();
    home.give("queue/mess/3", "qmails", 0o700);
    home.give("bin/qmail-queue", "qmailq", 0o755);
    fs::remove_file(path.join("bin/sendmail")).expect("a program");
    std::os::unix::fs::symlink("qmail-send", path.join("bin/sendmail")).expect("a link");
    let new: BTreeSet<String> =
        installation.complaints().into_iter().filter(|line| !before.contains(line)).collect();
    let uid = |name: &str| account::find_user(name.as_bytes()).expect("users").expect(name).uid;
    let at = |text: String| format!("{}/{text}", installation.home());
    let expected = [
        at(format!("queue/mess/3: belongs to user {}, not {}", uid("qmails"), uid("qmailq"))),
        at("queue/mess/3: has mode 0700, not 0750".to_owned()),
        at("bin/qmail-queue: has mode 0755, not 4711".to_owned()),
        at("bin/sendmail: is not a regular file".to_owned()),
    ];
    assert_eq!(new, BTreeSet::from(expected));
}

#[test]
fn install_takes_a_home_of_netqmail_over_and_leaves_settings_and_mail_as_they_are() {
    let Some(installation) = Installation::without_home() else { return };
    let path = installation.path("");
    let home = OldHome::lay_out(&path);
    let parts = ["control", "alias", "users", "rc", "doc", "queue/mess/7/30", "queue/lock/tcpto"];
    let kept = |part: &&str| -> BTreeMap<String, String> {
        // Owner and mode are set again, so the time of that change is another one.
        let without_ctime =
            |text: String| text.split_once('(').map(|(head, _)| head.to_owned()).unwrap_or(text);
        home.snapshot(part).into_iter().map(|(name, text)| (name, without_ctime(text))).collect()
    };
    let before: Vec<_> = parts.iter().map(kept).collect();
    installation.must(&["install", &installation.home()]);
    assert_eq!(installation.complaints(), Vec::<String>::new());
    assert_eq!(parts.iter().map(kept).collect::<Vec<_>>(), before);
    assert_eq!(fs::read_to_string(path.join("control/me")).expect("a setting"), "old.example\n");
    // Programs that are not ours stay.
    assert!(path.join("queue/lock/trigger").metadata().expect("the trigger").file_type().is_fifo());
    let queue = fs::metadata(path.join("bin/qmail-queue")).expect("qmail-queue");
    assert_eq!(queue.mode() & 0o7777, 0o4711);
    assert_ne!(fs::read(path.join("bin/qmail-send")).expect("a program"), b"old qmail-send");
}
