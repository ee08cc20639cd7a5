//! Accounts and identities.

use nix::unistd::{Gid, Group, Uid, User, geteuid, getuid};
use std::io;
use std::os::unix::ffi::OsStringExt;

/// A user of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Login name.
    pub name: String,
    /// User number.
    pub uid: u32,
    /// Number of the primary group.
    pub gid: u32,
    /// Home directory.
    pub home: Vec<u8>,
}

/// Looks a user up by name. `None` means that there is none; trouble with the database is an error.
pub fn find_user(name: &[u8]) -> io::Result<Option<Account>> {
    let Ok(name) = std::str::from_utf8(name) else { return Ok(None) };
    if name.is_empty() || name.contains('\0') {
        return Ok(None);
    }
    Ok(User::from_name(name)?.map(Account::from))
}

/// Looks a user up by number.
pub fn find_uid(uid: u32) -> io::Result<Option<Account>> {
    Ok(User::from_uid(Uid::from_raw(uid))?.map(Account::from))
}

/// Looks a group up by name and gives its number.
pub fn find_group(name: &str) -> io::Result<Option<u32>> {
    Ok(Group::from_name(name)?.map(|group| group.gid.as_raw()))
}

impl From<User> for Account {
    fn from(user: User) -> Account {
        let home = user.dir.into_os_string().into_vec();
        Account { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw(), home }
    }
}

/// Who the process acts as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// User number.
    pub uid: u32,
    /// Group number.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

impl Identity {
    /// An identity whose only group is `gid`.
    pub fn new(uid: u32, gid: u32) -> Identity {
        Identity { uid, gid, groups: vec![gid] }
    }

    /// Becomes this identity, groups first; needs root. After an error the process must not go on.
    pub fn assume(&self) -> io::Result<()> {
        set_groups(self.gid, &self.groups)?;
        set_user(self.uid)
    }
}

/// Sets the supplementary groups, then the group.
pub fn set_groups(gid: u32, groups: &[u32]) -> io::Result<()> {
    let groups: Vec<Gid> = groups.iter().copied().map(Gid::from_raw).collect();
    nix::unistd::setgroups(&groups)?;
    nix::unistd::setgid(Gid::from_raw(gid))?;
    Ok(())
}

/// Sets the user, for good when called as root.
pub fn set_user(uid: u32) -> io::Result<()> {
    nix::unistd::setuid(Uid::from_raw(uid))?;
    Ok(())
}

/// Number of the user who started the process.
pub fn real_uid() -> u32 {
    getuid().as_raw()
}

/// Number of the user whose rights the process has.
pub fn effective_uid() -> u32 {
    geteuid().as_raw()
}

/// Number of the group whose rights the process has.
pub fn effective_gid() -> u32 {
    nix::unistd::getegid().as_raw()
}
