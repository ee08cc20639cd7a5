//! Where we are installed, and which accounts the installation has.
//!
//! A program that was started as `HOME/bin/NAME` belongs to the installation HOME; started from elsewhere it
//! belongs to `/var/qmail`. The kernel says which file it runs; no variable can. So several installations
//! stand side by side, and nobody can lead a setuid program to a home of his own.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use unix::account::{self, Account};
use unix::failure::Failure;
use unix::program;

/// The home of programs that were not started from some `HOME/bin`.
pub const DEFAULT_HOME: &str = "/var/qmail";

/// One installation: `bin`, `control`, `queue`, `users` and `alias` below one directory.
#[derive(Clone, Debug)]
pub struct Home {
    path: PathBuf,
    owner: u32,
    group: u32,
}

/// The accounts that the mail system's programs run as, so that none can hurt another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Owns the aliases: controls addresses that belong to nobody else.
    Alias,
    /// Runs servers that take mail from the network.
    Qmaild,
    /// Writes logs.
    Qmaill,
    /// Looks users up.
    Qmailp,
    /// Owns the messages in the queue.
    Qmailq,
    /// Sends mail to other hosts.
    Qmailr,
    /// Manages the queue.
    Qmails,
}

impl Role {
    /// All of them, in the order of their names.
    pub const ALL: [Role; 7] =
        [Role::Alias, Role::Qmaild, Role::Qmaill, Role::Qmailp, Role::Qmailq, Role::Qmailr, Role::Qmails];

    /// The account's name.
    pub fn name(self) -> &'static str {
        match self {
            Role::Alias => "alias",
            Role::Qmaild => "qmaild",
            Role::Qmaill => "qmaill",
            Role::Qmailp => "qmailp",
            Role::Qmailq => "qmailq",
            Role::Qmailr => "qmailr",
            Role::Qmails => "qmails",
        }
    }
}

/// The group that owns the queue.
pub const QUEUE_GROUP: &str = "qmail";
/// The group that owns nothing.
pub const NO_FILES_GROUP: &str = "nofiles";

impl Home {
    /// The installation that this program belongs to.
    ///
    /// # Errors
    /// Temporary, if there is none, or if somebody could have prepared it who is neither root nor us.
    pub fn of_this_program() -> Result<Home, Failure> {
        Home::open(home_of(program::file()).unwrap_or(Path::new(DEFAULT_HOME)))
    }

    /// The installation in a directory.
    pub fn open(path: &Path) -> Result<Home, Failure> {
        let described = |what: &str| format!("{what} {}", path.display());
        let found = std::fs::metadata(path).map_err(|error| {
            Failure::temporary(described("unable to find the qmail home")).because(&error)
        })?;
        if found.uid() != 0 && found.uid() != account::effective_uid() {
            return Err(Failure::temporary(described("neither root nor the caller owns the qmail home")));
        }
        if found.mode() & 0o022 != 0 {
            return Err(Failure::temporary(described("others may write to the qmail home")));
        }
        Ok(Home { path: path.to_path_buf(), owner: found.uid(), group: found.gid() })
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `HOME/bin/NAME`.
    pub fn program(&self, name: &str) -> PathBuf {
        self.path.join("bin").join(name)
    }

    /// `HOME/control`.
    pub fn control(&self) -> PathBuf {
        self.path.join("control")
    }

    /// `HOME/queue`.
    pub fn queue(&self) -> PathBuf {
        self.path.join("queue")
    }

    /// `HOME/alias`, where the alias account's `.qmail` files are.
    pub fn alias(&self) -> PathBuf {
        self.path.join("alias")
    }

    /// Whether one ordinary user owns the home and runs everything in it. No identity is changed then.
    pub fn is_single_user(&self) -> bool {
        self.owner != 0
    }

    /// The account of a role. In a home of one user that is this user, whatever the role.
    ///
    /// # Errors
    /// Temporary, if the account is missing or the database cannot be read: never a fallback.
    pub fn account(&self, role: Role) -> Result<Account, Failure> {
        if self.is_single_user() {
            return self.owner();
        }
        let unable = || Failure::temporary(format!("unable to find user {}", role.name()));
        match account::find_user(role.name().as_bytes()) {
            Ok(Some(account)) => Ok(account),
            Ok(None) => Err(unable()),
            Err(error) => Err(unable().because(&error)),
        }
    }

    /// The number of one of the suite's groups. In a home of one user that is the group of the home.
    pub fn group(&self, name: &str) -> Result<u32, Failure> {
        if self.is_single_user() {
            return Ok(self.group);
        }
        let unable = || Failure::temporary(format!("unable to find group {name}"));
        match account::find_group(name) {
            Ok(Some(gid)) => Ok(gid),
            Ok(None) => Err(unable()),
            Err(error) => Err(unable().because(&error)),
        }
    }

    /// The one user of a single-user home; he need not be in the account database (containers).
    fn owner(&self) -> Result<Account, Failure> {
        let known = account::find_uid(self.owner).ok().flatten();
        let name = known.map_or_else(|| self.owner.to_string(), |account| account.name);
        let home = self.path.as_os_str().as_encoded_bytes().to_vec();
        Ok(Account { name, uid: self.owner, gid: self.group, home })
    }
}

fn home_of(program: &Path) -> Option<&Path> {
    let bin = program.parent()?;
    (bin.file_name()? == "bin").then(|| bin.parent()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_program_in_some_bin_names_a_home() {
        assert_eq!(home_of(Path::new("/srv/mail/bin/qmail-send")), Some(Path::new("/srv/mail")));
        assert_eq!(home_of(Path::new("/srv/mail/target/debug/qmail-send")), None);
        assert_eq!(home_of(Path::new("")), None);
    }

    #[test]
    fn a_home_that_others_may_write_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        assert!(Home::open(directory.path()).is_ok());
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(Home::open(directory.path()).is_err());
    }
}
