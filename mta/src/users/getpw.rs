//! `qmail-getpw` says which account controls a local address that has no assignment.
//!
//! Reads    its argument, the local part; control/conf-break; the account database.
//! Writes   fd 1: user, uid, gid, home directory, dash and extension, each with a NUL at its end.
//! Runs as  qmailp.   Trusts  the account database, and home directories no further than to ask who owns them.
//! Exits    0 · 100 called wrongly · 111 no installation · 115 a home directory does not answer ·
//!          116 no account alias · 118 the account database does not answer.
//! Manual   qmail-getpw(8).    Next in the flow: deliver::local, as that user.

use super::{Controller, Trouble};
use crate::setup::home::{Home, Role};
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use unix::account::{self, Account};
use unix::descriptor;
use unix::failure::{self, Failure};
use unix::program::{Exit, Invocation};

/// Longer parts of an address are not looked up: no account has such a name.
const LONGEST_NAME: usize = 31;

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let local = invocation.arguments.first().ok_or(Failure::usage("qmail-getpw local"))?;
    let home = Home::of_this_program()?;
    let controller = find(&home, local).map_err(|trouble| Failure::silent(Exit(trouble.exit())))?;
    descriptor::output()
        .write_all(&controller.encode())
        .map_err(|error| Failure::temporary("unable to write").because(&error))?;
    Ok(Exit::SUCCESS)
}

/// What was found out about a name that might be that of the controlling account.
#[derive(Debug)]
pub enum Candidate {
    /// It controls the address.
    Controls(Account),
    /// There is no such account.
    NoAccount,
    /// It is root, for whom nothing is delivered.
    Root,
    /// It is not the one user of this home.
    NotOurs,
    /// Its home directory cannot be looked at; usually it is not there.
    NoHome(Account, io::Error),
    /// Its home directory belongs to somebody else, as those of daemons do.
    HomeOfOthers(Account),
}

/// The account that controls a local part: the longest beginning that is a user's name, else `alias`.
pub fn find(home: &Home, local: &[u8]) -> Result<Controller, Trouble> {
    find_telling(home, local, &mut |_, _| ())
}

/// The same, telling of each name that is tried.
pub fn find_telling(
    home: &Home,
    local: &[u8],
    tell: &mut dyn FnMut(&[u8], &Candidate),
) -> Result<Controller, Trouble> {
    let separator = super::break_character(home)?;
    for (name, ext) in splits(local, separator) {
        let name = name.to_ascii_lowercase();
        let candidate = examine(home, &name)?;
        tell(&name, &candidate);
        if let Candidate::Controls(account) = candidate {
            let (dash, ext): (&[u8], &[u8]) = ext.map_or((b"", b""), |ext| (b"-", ext));
            return Ok(controller(account, dash, ext));
        }
    }
    Ok(controller(alias(home)?, b"-", local))
}

/// The ways to take a local part for a user's name and an extension, the longest name first.
fn splits(local: &[u8], separator: u8) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
    let longest = local.len().min(LONGEST_NAME);
    (0..=longest).rev().filter_map(move |at| {
        let (name, rest) = local.split_at_checked(at)?;
        match rest.split_first() {
            None => Some((name, None)),
            Some((byte, ext)) => (*byte == separator).then_some((name, Some(ext))),
        }
    })
}

/// Whether the account of that name may have mail: it is not root, and its home directory is its own.
fn examine(home: &Home, name: &[u8]) -> Result<Candidate, Trouble> {
    let account = if name == Role::Alias.name().as_bytes() {
        alias(home)?
    } else {
        match account::find_user(name).map_err(|_| Trouble::System)? {
            Some(account) => account,
            None => return Ok(Candidate::NoAccount),
        }
    };
    if account.uid == 0 {
        return Ok(Candidate::Root);
    }
    if home.is_single_user() && account.uid != account::effective_uid() {
        return Ok(Candidate::NotOurs);
    }
    match std::fs::metadata(Path::new(OsStr::from_bytes(&account.home))) {
        Ok(found) if found.uid() == account.uid => Ok(Candidate::Controls(account)),
        Ok(_) => Ok(Candidate::HomeOfOthers(account)),
        Err(error) if failure::is_temporary(&error) => Err(Trouble::HomeDirectories),
        Err(error) => Ok(Candidate::NoHome(account, error)),
    }
}

/// The account that controls what nobody else does. Its files are in `HOME/alias`, whatever the account
/// database says, so that installations side by side have aliases of their own.
fn alias(home: &Home) -> Result<Account, Trouble> {
    let account = home.account(Role::Alias).map_err(|_| Trouble::NoAlias)?;
    Ok(Account {
        name: Role::Alias.name().to_owned(),
        home: home.alias().as_os_str().as_bytes().to_vec(),
        ..account
    })
}

fn controller(account: Account, dash: &[u8], ext: &[u8]) -> Controller {
    let Account { name, uid, gid, home } = account;
    Controller { user: name.into_bytes(), uid, gid, home, dash: dash.to_vec(), ext: ext.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    #[test]
    fn the_longest_name_is_tried_first_and_the_break_belongs_to_neither_side() {
        let tried: Vec<_> =
            splits(b"Joe-a--b", b'-').map(|(name, ext)| (text(name), ext.map(text))).collect();
        let expected =
            [("Joe-a--b", None), ("Joe-a-", Some("b")), ("Joe-a", Some("-b")), ("Joe", Some("a--b"))];
        assert_eq!(tried, expected.map(|(name, ext)| (name.to_owned(), ext.map(str::to_owned))));
        let tried: Vec<_> = splits(b"a-b+c-d", b'+').map(|(name, ext)| (text(name), ext.map(text))).collect();
        let expected = [("a-b+c-d", None), ("a-b", Some("c-d"))];
        assert_eq!(tried, expected.map(|(name, ext)| (name.to_owned(), ext.map(str::to_owned))));
    }

    #[test]
    fn a_beginning_of_32_bytes_is_no_name() {
        let local = [[b'x'; 32].as_slice(), b"-a"].concat();
        assert_eq!(splits(&local, b'-').count(), 0);
        assert_eq!(splits(&local[1..], b'-').count(), 1);
    }

    #[test]
    fn in_a_home_of_one_user_aliases_are_his() {
        if account::effective_uid() == 0 {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let home = Home::open(directory.path()).unwrap();
        let found = find(&home, b"Nobody.At-All").unwrap();
        assert_eq!((found.user.as_slice(), found.dash.as_slice()), (&b"alias"[..], &b"-"[..]));
        assert_eq!(found.ext, b"Nobody.At-All");
        assert_eq!(found.home, home.alias().as_os_str().as_bytes());
    }
}
