//! A user's home directory for deliveries, and calls of qmail-local as that user.

use crate::{Call, FakeQueue, MailHome, Outcome};
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

/// The account that delivers when the test runs as root, for which nothing is delivered: nobody's.
const USER: u32 = 65_534;

/// An installation with one user, `alice`, who has a home directory.
pub struct UserHome {
    mail: MailHome,
    queue: FakeQueue,
    path: PathBuf,
}

/// What qmail-local is asked to do; see its manual page.
#[derive(Clone, Debug)]
pub struct LocalDelivery {
    /// Options.
    pub flags: Vec<Vec<u8>>,
    /// The recipient's local part.
    pub local: Vec<u8>,
    /// What stands between `.qmail` and the extension.
    pub dash: Vec<u8>,
    /// The extension.
    pub ext: Vec<u8>,
    /// The envelope sender.
    pub sender: Vec<u8>,
    /// What to do if there is no `.qmail` file.
    pub default_delivery: Vec<u8>,
    /// The message.
    pub message: Vec<u8>,
}

impl Default for LocalDelivery {
    fn default() -> LocalDelivery {
        LocalDelivery {
            flags: Vec::new(),
            local: b"alice".to_vec(),
            dash: Vec::new(),
            ext: Vec::new(),
            sender: b"sender@s.example".to_vec(),
            default_delivery: b"./Mailbox".to_vec(),
            message: b"Subject: t\n\nline1\n".to_vec(),
        }
    }
}

impl LocalDelivery {
    /// To the address of an extension: `alice-EXT`.
    pub fn to_extension(ext: &str) -> LocalDelivery {
        let local = format!("alice-{ext}").into_bytes();
        LocalDelivery { local, dash: b"-".to_vec(), ext: ext.into(), ..LocalDelivery::default() }
    }
}

impl UserHome {
    /// An empty home directory, `DIRECTORY/home`.
    pub fn new() -> UserHome {
        let mail = MailHome::new([]);
        let queue = mail.fake_queue();
        // Now, because a test may deliver from several threads.
        mail.program("qmail-local");
        let path = mail.path().join("home");
        let home = UserHome { mail, queue, path };
        home.directory("");
        home
    }

    /// The home directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The installation.
    pub fn mail(&self) -> &MailHome {
        &self.mail
    }

    /// What was forwarded.
    pub fn queue(&self) -> &FakeQueue {
        &self.queue
    }

    /// Writes a file of the user's.
    pub fn file(&self, name: &str, text: impl AsRef<[u8]>, mode: u32) -> PathBuf {
        let path = self.path.join(name);
        fs::write(&path, text).expect("a file of the user's");
        self.hand_over(&path, mode);
        path
    }

    /// Makes a directory of the user's.
    pub fn directory(&self, name: &str) -> PathBuf {
        let path = if name.is_empty() { self.path.clone() } else { self.path.join(name) };
        fs::create_dir(&path).expect("a directory of the user's");
        self.hand_over(&path, 0o755);
        path
    }

    /// Makes a maildir of the user's.
    pub fn maildir(&self, name: &str) -> PathBuf {
        let path = self.directory(name);
        for part in ["tmp", "new", "cur"] {
            self.directory(&format!("{name}/{part}"));
        }
        path
    }

    /// Changes the mode of the home directory.
    pub fn set_mode(&self, mode: u32) {
        fs::set_permissions(&self.path, Permissions::from_mode(mode))
            .expect("the mode of the home directory");
    }

    fn hand_over(&self, path: &Path, mode: u32) {
        if crate::is_root() {
            chown(path, Some(USER), Some(USER)).expect("the user as owner");
        }
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
    }

    /// A call of a program of the mail system, by the user, with the message as a file.
    pub fn call(&self, program: &str, message: impl AsRef<[u8]>) -> Call {
        self.as_user(self.mail.call(program)).input_file(message)
    }

    /// Any call, made by the user.
    pub fn as_user(&self, call: Call) -> Call {
        let mut call = call.env("QMAILQUEUE", &self.queue.program);
        if crate::is_root() {
            call.command().uid(USER).gid(USER);
        }
        call
    }

    /// The call of qmail-local for a delivery.
    pub fn delivery(&self, delivery: &LocalDelivery) -> Call {
        self.call("qmail-local", &delivery.message).args(self.arguments(delivery))
    }

    /// The arguments of qmail-local for a delivery.
    pub fn arguments(&self, delivery: &LocalDelivery) -> Vec<OsString> {
        let LocalDelivery { flags, local, dash, ext, sender, default_delivery, message: _ } = delivery;
        let home = self.path.as_os_str().as_bytes();
        let words: [&[u8]; 9] =
            [b"--", b"alice", home, local, dash, ext, b"v.example", sender, default_delivery];
        flags.iter().map(Vec::as_slice).chain(words).map(|word| OsString::from_vec(word.to_vec())).collect()
    }

    /// Delivers.
    pub fn deliver(&self, delivery: &LocalDelivery) -> Outcome {
        self.delivery(delivery).run()
    }

    /// The regular files below the home directory: (name, contents, mode), sorted by name.
    pub fn files(&self) -> Vec<(String, Vec<u8>, u32)> {
        let mut found = Vec::new();
        collect(&self.path, "", &mut found);
        found.sort();
        found
    }
}

impl Default for UserHome {
    fn default() -> UserHome {
        UserHome::new()
    }
}

fn collect(directory: &Path, prefix: &str, found: &mut Vec<(String, Vec<u8>, u32)>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let entry = entry.expect("an entry");
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let metadata = fs::symlink_metadata(entry.path()).expect("its metadata");
        if metadata.is_dir() {
            collect(&entry.path(), &format!("{name}/"), found);
        } else if metadata.is_file() {
            let text = fs::read(entry.path()).expect("its contents");
            found.push((name, text, metadata.permissions().mode() & 0o7777));
        }
    }
}
