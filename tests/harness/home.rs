//! An installation of the mail system for one test: programs, control files, a stand-in for qmail-queue.

use crate::Call;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A home with `bin`, `control`, `users` and `alias`, and no queue. It belongs to whoever runs the test.
pub struct MailHome {
    directory: tempfile::TempDir,
}

impl MailHome {
    /// A home with these control files.
    pub fn new<'a>(control: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> MailHome {
        let home = MailHome { directory: crate::scratch() };
        for name in ["bin", "control", "users", "alias"] {
            fs::create_dir(home.path().join(name)).expect("a directory of the home");
        }
        for (name, text) in control {
            home.control(name, text);
        }
        home
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a control file.
    pub fn control(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path().join("control").join(name), text).expect("a control file");
    }

    /// The path of a program in the home, which is put there if it is not there yet.
    ///
    /// Programs are linked or copied, never symlinked: the kernel has to see them in `bin`.
    pub fn program(&self, name: &str) -> PathBuf {
        let path = self.path().join("bin").join(name);
        if !path.exists() {
            let built = crate::program(name);
            if fs::hard_link(&built, &path).is_err() {
                crate::copy_program(name, &path);
            }
        }
        path
    }

    /// A call of a program in the home.
    pub fn call(&self, name: &str) -> Call {
        Call::path(&self.program(name))
    }

    /// Makes a program that stands in for qmail-queue and keeps what it is given; see [`FakeQueue`].
    pub fn fake_queue(&self) -> FakeQueue {
        let captured = self.path().join("captured");
        fs::create_dir_all(&captured).expect("a directory for captured messages");
        fs::set_permissions(&captured, fs::Permissions::from_mode(0o777)).expect("its mode");
        let program = self.path().join("bin").join("fake-queue");
        let directory = captured.display();
        let script = format!(
            "#!/bin/sh\ncat >'{directory}'/$$.msg\ncat <&1 >'{directory}'/$$.env\nexit ${{FAKEQUEUE_EXIT:-0}}\n"
        );
        crate::put_program(&program, script);
        FakeQueue { program, captured }
    }
}

/// A program in the place of qmail-queue: it stores descriptors 0 and 1 and exits with `$FAKEQUEUE_EXIT`.
pub struct FakeQueue {
    /// What the variable QMAILQUEUE has to be.
    pub program: PathBuf,
    captured: PathBuf,
}

impl FakeQueue {
    /// What came on descriptor 0, for each message.
    pub fn messages(&self) -> Vec<Vec<u8>> {
        self.files("msg")
    }

    /// What came on descriptor 1, for each message whose envelope was complete.
    pub fn envelopes(&self) -> Vec<Vec<u8>> {
        self.files("env")
    }

    fn files(&self, ending: &str) -> Vec<Vec<u8>> {
        let mut paths: Vec<PathBuf> = fs::read_dir(&self.captured)
            .expect("the captured messages")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == ending))
            .collect();
        paths.sort();
        paths.iter().map(|path| fs::read(path).expect("a captured message")).collect()
    }
}
