//! What an installation consists of: every directory, program and queue file with owner and mode.
//!
//! The table that qmail-setup installs from and checks against. The modes are the boundaries between the
//! accounts: who may only pass through a directory, who may run a program, who may read the queue.

use super::home::{NO_FILES_GROUP, QUEUE_GROUP, Role};
use crate::queue::layout::{self, Kind};
use std::path::PathBuf;

/// Something that an installation has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Relative to the home.
    pub path: PathBuf,
    /// What it is.
    pub what: What,
    /// Who owns it.
    pub owner: Owner,
    /// Permission bits.
    pub mode: u32,
}

/// Kinds of entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A directory.
    Directory,
    /// One of our programs, by name.
    Program(&'static str),
    /// A file of the queue; so many NUL bytes when it is made.
    File {
        /// Size when it is made.
        size: usize,
    },
    /// A named pipe.
    Fifo,
}

/// Owners of entries. The group is always the queue's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Root.
    Root,
    /// The account of a role.
    Account(Role),
}

/// Size of the table of hosts that timed out, in bytes.
const TCPTO_SIZE: usize = 1024;

/// Programs that only root runs.
const FOR_ROOT: &[&str] = &["qmail-lspawn", "qmail-newu", "qmail-start"];
/// Programs of the mail system's own accounts: nobody else has to read them.
const INTERNAL: &[&str] =
    &["qmail-clean", "qmail-getpw", "qmail-local", "qmail-remote", "qmail-rspawn", "qmail-send"];
/// Programs for everybody.
const FOR_ALL: &[&str] = &[
    "accustamp",
    "addcr",
    "argv0",
    "bouncesaying",
    "condredirect",
    "cyclog",
    "cyclog-read",
    "delcr",
    "envdir",
    "envuidgid",
    "errorsto",
    "except",
    "fghack",
    "fifo",
    "fixcrio",
    "forward",
    "maildirmake",
    "mconnect-io",
    "multilog",
    "pgrphack",
    "preline",
    "qmail-inject",
    "qmail-qread",
    "qmail-queuectl",
    "qmail-setup",
    "qmail-showctl",
    "qmail-smtpd",
    "rblsmtpd",
    "readproctitle",
    "recordio",
    "sendmail",
    "setlock",
    "setuidgid",
    "setuser",
    "softlimit",
    "supervise",
    "svc",
    "svok",
    "svscan",
    "svstat",
    "svwait",
    "tai64n",
    "tai64nlocal",
    "tailocal",
    "tcpclient",
    "tcpnames",
    "tcprules",
    "tcprulescheck",
    "tcpserver",
    "testfilelock",
    "usually",
];

/// Every entry, parents before what is in them.
pub fn entries() -> Vec<Entry> {
    [directories(), programs(), queue_directories(), queue_files()].concat()
}

/// The accounts, each with its group.
pub fn accounts() -> [(Role, &'static str); 7] {
    Role::ALL.map(|role| {
        let group = match role {
            Role::Alias | Role::Qmaild | Role::Qmaill | Role::Qmailp => NO_FILES_GROUP,
            Role::Qmailq | Role::Qmailr | Role::Qmails => QUEUE_GROUP,
        };
        (role, group)
    })
}

fn directories() -> Vec<Entry> {
    let plain = |path: &str| entry(path, What::Directory, Owner::Root, 0o755);
    let mut entries: Vec<Entry> = ["", "bin", "boot", "control", "doc", "man", "users"].map(plain).into();
    entries.push(entry("alias", What::Directory, Owner::Account(Role::Alias), 0o2755));
    entries
}

fn programs() -> Vec<Entry> {
    let program = |name: &'static str, owner: Owner, mode: u32| {
        entry(&format!("bin/{name}"), What::Program(name), owner, mode)
    };
    // Setuid: everybody may queue a message, and nobody may touch the queue.
    let mut entries = vec![program("qmail-queue", Owner::Account(Role::Qmailq), 0o4711)];
    for (names, mode) in [(FOR_ROOT, 0o700), (INTERNAL, 0o711), (FOR_ALL, 0o755)] {
        entries.extend(names.iter().map(|name| program(name, Owner::Root, mode)));
    }
    entries
}

fn queue_directories() -> Vec<Entry> {
    let (qmailq, qmails) = (Owner::Account(Role::Qmailq), Owner::Account(Role::Qmails));
    let mut entries = vec![
        entry("queue", What::Directory, qmailq, 0o750),
        entry("queue/pid", What::Directory, qmailq, 0o700),
        entry("queue/lock", What::Directory, qmailq, 0o750),
        entry(&format!("queue/{}", layout::QUEUECTL), What::Directory, qmails, 0o700),
    ];
    let kinds = [
        (Kind::Intd, qmailq, 0o700),
        (Kind::Todo, qmailq, 0o750),
        (Kind::Bounce, qmails, 0o700),
        (Kind::Mess, qmailq, 0o750),
        (Kind::Info, qmails, 0o700),
        (Kind::Local, qmails, 0o700),
        (Kind::Remote, qmails, 0o700),
    ];
    for (kind, owner, mode) in kinds {
        let top = PathBuf::from(kind.directory());
        let parts = kind.directories().into_iter().filter(|part| *part != top);
        for path in std::iter::once(top.clone()).chain(parts) {
            entries.push(Entry {
                path: PathBuf::from("queue").join(path),
                what: What::Directory,
                owner,
                mode,
            });
        }
    }
    entries
}

fn queue_files() -> Vec<Entry> {
    let (qmailr, qmails) = (Owner::Account(Role::Qmailr), Owner::Account(Role::Qmails));
    let queue = |name: &str| format!("queue/{name}");
    vec![
        entry(&queue(layout::TCPTO), What::File { size: TCPTO_SIZE }, qmailr, 0o644),
        entry(&queue(layout::SEND_MUTEX), What::File { size: 0 }, qmails, 0o600),
        entry(&queue(layout::TRIGGER), What::Fifo, qmails, 0o622),
    ]
}

fn entry(path: &str, what: What, owner: Owner, mode: u32) -> Entry {
    Entry { path: PathBuf::from(path), what, owner, mode }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn every_program_of_the_workspace_is_installed() {
        let mut built = BTreeSet::new();
        for part in ["mta", "supervise", "tcpserver", "cyclog"] {
            let directory =
                Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(part).join("src/bin");
            for entry in std::fs::read_dir(directory).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                built.insert(name.trim_end_matches(".rs").to_owned());
            }
        }
        let installed: BTreeSet<String> = entries()
            .into_iter()
            .filter_map(|entry| match entry.what {
                What::Program(name) => Some(name.to_owned()),
                _ => None,
            })
            .collect();
        assert_eq!(installed, built);
    }

    #[test]
    fn parents_come_first() {
        let mut seen = BTreeSet::from([PathBuf::new()]);
        for entry in entries().into_iter().skip(1) {
            assert!(seen.contains(entry.path.parent().unwrap()), "{}", entry.path.display());
            seen.insert(entry.path);
        }
    }

    #[test]
    fn only_qmail_queue_is_setuid() {
        let setuid: Vec<PathBuf> =
            entries().into_iter().filter(|entry| entry.mode & 0o4000 != 0).map(|entry| entry.path).collect();
        assert_eq!(setuid, [PathBuf::from("bin/qmail-queue")]);
    }
}
