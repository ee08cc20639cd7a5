//! What an installation consists of: every directory, program, script, manual page and queue file with owner
//! and mode.
//!
//! The table that qmail-setup installs from and checks against. The modes are the boundaries between the
//! accounts: who may only pass through a directory, who may run a program, who may read the queue.

use super::copies;
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
    /// A script or manual page: these bytes.
    Copy(&'static [u8]),
    /// A script or unit for the start of the system: these bytes, with the path of the home filled in.
    BootScript(&'static [u8]),
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
const FOR_ROOT: &[&str] = &["checkpassword", "qmail-lspawn", "qmail-newmrh", "qmail-newu", "qmail-start"];
/// Programs of the mail system's own accounts: nobody else has to read them.
const INTERNAL: &[&str] = &[
    "qmail-clean",
    "qmail-getpw",
    "qmail-local",
    "qmail-popup",
    "qmail-pw2u",
    "qmail-remote",
    "qmail-rspawn",
    "qmail-send",
    "splogger",
];
/// Programs for everybody.
const FOR_ALL: &[&str] = &[
    "accustamp",
    "addcr",
    "argv0",
    "bouncesaying",
    "condredirect",
    "cyclog",
    "cyclog-read",
    "datemail",
    "delcr",
    "dot-forward",
    "elq",
    "envdir",
    "envuidgid",
    "errorsto",
    "except",
    "fastforward",
    "fghack",
    "fifo",
    "fixcrio",
    "forward",
    "maildir2mbox",
    "maildirmake",
    "maildirserial",
    "maildirwatch",
    "mailsubj",
    "mconnect-io",
    "multilog",
    "newaliases",
    "newinclude",
    "pgrphack",
    "pinq",
    "predate",
    "preline",
    "printforward",
    "printmaillist",
    "qail",
    "qbiff",
    "qmail-explain",
    "qmail-inject",
    "qmail-pop3d",
    "qmail-qmqpc",
    "qmail-qmqpd",
    "qmail-qmtpd",
    "qmail-qread",
    "qmail-qstat",
    "qmail-queuectl",
    "qmail-setup",
    "qmail-showctl",
    "qmail-smtpd",
    "qmail-tcpok",
    "qmail-tcpto",
    "qreceipt",
    "qsmhook",
    "rblsmtpd",
    "readproctitle",
    "recordio",
    "sendmail",
    "serialqmtp",
    "serialsmtp",
    "setforward",
    "setlock",
    "setmaillist",
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
    "tcp-env",
    "tcpclient",
    "tcpnames",
    "tcprules",
    "tcprulescheck",
    "tcpserver",
    "testfilelock",
    "usually",
];

/// Programs that are built, as with the original, and installed nowhere: `bin` comes first in the PATH of deliveries,
/// and there these names mean programs of the system or of other packages.
pub const NOT_INSTALLED: &[&str] = &["dnsfq", "dnsip", "dnsmxip", "dnsptr", "hostname", "ipmeprint"];

/// Every entry, parents before what is in them.
pub fn entries() -> Vec<Entry> {
    [directories(), programs(), scripts(), pages(), queue_directories(), queue_files()].concat()
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
    let names =
        ["", "bin", "boot", "control", "doc", "man", "man/man1", "man/man5", "man/man7", "man/man8", "users"];
    let mut entries: Vec<Entry> = names.map(plain).into();
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

fn scripts() -> Vec<Entry> {
    let script = |(name, text): &(&str, &'static [u8])| {
        entry(&format!("bin/{name}"), What::Copy(text), Owner::Root, 0o755)
    };
    let boot_script = |(name, text): &(&str, &'static [u8])| {
        // A unit of systemd is no program.
        let mode = if text.starts_with(b"#!") { 0o755 } else { 0o644 };
        entry(&format!("boot/{name}"), What::BootScript(text), Owner::Root, mode)
    };
    copies::SCRIPTS.iter().map(script).chain(copies::BOOT_SCRIPTS.iter().map(boot_script)).collect()
}

/// The pages of what is installed, each in the directory of its section.
fn pages() -> Vec<Entry> {
    let page = |(name, text): &(&str, &'static [u8])| {
        let (stem, section) = name.rsplit_once('.')?;
        let path = format!("man/man{section}/{name}");
        (!NOT_INSTALLED.contains(&stem)).then(|| entry(&path, What::Copy(text), Owner::Root, 0o644))
    };
    copies::PAGES.iter().filter_map(page).collect()
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
        assert!(NOT_INSTALLED.iter().all(|name| !installed.contains(*name)));
        let elsewhere = NOT_INSTALLED.iter().map(|name| (*name).to_owned());
        assert_eq!(installed.into_iter().chain(elsewhere).collect::<BTreeSet<_>>(), built);
    }

    #[test]
    fn every_installed_program_and_script_has_its_page_installed() {
        let names = |beginning: &str| -> BTreeSet<String> {
            let paths = entries().into_iter().map(|entry| entry.path.to_str().unwrap().to_owned());
            paths.filter_map(|path| Some(path.strip_prefix(beginning)?.to_owned())).collect()
        };
        let pages: BTreeSet<String> = names("man/man")
            .iter()
            .filter_map(|path| Some(path.split_once('/')?.1.rsplit_once('.')?.0.to_owned()))
            .collect();
        let without: Vec<String> = names("bin/").into_iter().filter(|name| !pages.contains(name)).collect();
        assert_eq!(without, Vec::<String>::new());
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
