//! An account of the system for one test.

use crate::Call;
use crate::installation::ACCOUNTS;
use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use unix::account::{self, Account};

/// An ordinary user, whose home is below a directory of the test's, until the end of the test.
pub struct OrdinaryUser {
    /// Name and numbers.
    pub account: Account,
    /// The home directory.
    pub home: PathBuf,
}

impl OrdinaryUser {
    /// Makes the account, which no other test may use, and its home in `place`. Only root can.
    pub fn new(name: &str, place: impl AsRef<Path>) -> OrdinaryUser {
        let home = place.as_ref().join(name);
        let _guard = ACCOUNTS.lock();
        // One may be left from a test that was killed.
        let _ = Command::new("userdel").arg(name).stderr(Stdio::null()).status();
        let made =
            Command::new("useradd").args(["--no-create-home", "--home-dir"]).arg(&home).arg(name).status();
        assert!(made.is_ok_and(|status| status.success()), "useradd {name}");
        let account = account::find_user(name.as_bytes()).expect("the users").expect("the user");
        let user = OrdinaryUser { account, home };
        fs::create_dir(&user.home).expect("a home directory");
        user.owns(&user.home);
        user
    }

    /// Gives the user a password, as its hash, or whatever else stands there in shadow(5).
    pub fn set_hash(&self, hash: &str) {
        let _guard = ACCOUNTS.lock();
        let set = Command::new("usermod").args(["--password", hash]).arg(&self.account.name).status();
        assert!(set.is_ok_and(|status| status.success()), "usermod {}", self.account.name);
    }

    /// Makes a file or directory the user's.
    pub fn owns(&self, path: &Path) {
        chown(path, Some(self.account.uid), Some(self.account.gid)).expect("an owner");
    }

    /// Writes a file of the user's in the home directory.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.home.join(name), text).expect("a file in the home directory");
        self.owns(&self.home.join(name));
    }

    /// A call made by the user.
    pub fn call(&self, program: &Path) -> Call {
        let mut call =
            Call::path(program).env_clear().env("USER", &self.account.name).env("PATH", "/usr/bin:/bin");
        call.command().uid(self.account.uid).gid(self.account.gid);
        call
    }
}

impl Drop for OrdinaryUser {
    fn drop(&mut self) {
        let _guard = ACCOUNTS.lock();
        let _ = Command::new("userdel").arg(&self.account.name).stderr(Stdio::null()).status();
    }
}
