//! Accounts and identities.

use crate::number;
use nix::unistd::{Gid, Group, Uid, User, geteuid, getuid};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

/// The file of accounts, passwd(5).
pub const FILE: &str = "/etc/passwd";

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

/// The login name that the file of accounts, passwd(5), has for a number; no other database is asked.
///
/// For programs that are linked statically, which cannot load what asks the others. The accounts of a system's own
/// services are in the file.
pub fn name_in_file(uid: u32, file: &Path) -> io::Result<Option<Vec<u8>>> {
    let text = fs::read(file)?;
    let lines = text.split(|byte| *byte == b'\n');
    Ok(lines.filter_map(account_of_line).find(|(_, number)| *number == uid).map(|(name, _)| name.to_vec()))
}

/// `name:password:uid:...`; nothing for lines that are none.
fn account_of_line(line: &[u8]) -> Option<(&[u8], u32)> {
    let mut fields = line.split(|byte| *byte == b':');
    let name = fields.next().filter(|name| !name.is_empty())?;
    let uid = number::whole(fields.nth(1)?)?;
    Some((name, u32::try_from(uid).ok()?))
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

    /// Does some work with the rights of this identity, then has root's again; needs root.
    ///
    /// What belongs to an account is touched as that account, so that nothing in its directories can lead root
    /// astray. After an error the process must not go on.
    pub fn lend<T>(&self, work: impl FnOnce() -> T) -> io::Result<T> {
        let (own_group, own_groups) = (nix::unistd::getegid(), nix::unistd::getgroups()?);
        nix::unistd::setgroups(&self.groups.iter().copied().map(Gid::from_raw).collect::<Vec<_>>())?;
        nix::unistd::setegid(Gid::from_raw(self.gid))?;
        nix::unistd::seteuid(Uid::from_raw(self.uid))?;
        let done = work();
        nix::unistd::seteuid(Uid::from_raw(0))?;
        nix::unistd::setegid(own_group)?;
        nix::unistd::setgroups(&own_groups)?;
        Ok(done)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_number_is_that_of_the_first_line_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("passwd");
        let text =
            b"root:x:0:0::/:\n+nis\n:x:7::\nqmaild:x:995:7::/:\nother:x:995:7::/:\nbad:x:99x:1::/:\nend:x:12";
        fs::write(&file, text).unwrap();
        let name = |uid| name_in_file(uid, &file).unwrap();
        assert_eq!(name(0).as_deref(), Some(&b"root"[..]));
        assert_eq!(name(995).as_deref(), Some(&b"qmaild"[..]));
        assert_eq!(name(12).as_deref(), Some(&b"end"[..]));
        assert_eq!((name(7), name(99)), (None, None));
        assert!(name_in_file(0, &directory.path().join("none")).is_err());
    }
}
