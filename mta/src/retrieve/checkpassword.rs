//! `checkpassword` checks a name and a password, and runs a program as that user.
//!
//! Reads    fd 3, to its end: name NUL password NUL, and whatever follows; passwd(5) and shadow(5).
//! Runs     its arguments, as the user, in his home directory.
//! Runs as  root.   Trusts  the databases, its arguments; whoever writes to fd 3 for nothing.
//! Exits    as the program · 1 not let in · 2 called or asked wrongly · 111 trouble of the system's.
//! Manual   checkpassword(8).    Next in the flow: retrieve::pop3d.
//!
//! It never says anything: there may be a client at the other end of every descriptor. A name that nobody has takes the time
//! of a wrong password, and what was read is wiped before the program runs.

use std::convert::Infallible;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use unix::account::Identity;
use unix::crypt::Crypt;
use unix::descriptor;
use unix::environment::Environment;
use unix::exec::{self, Search};
use unix::failure::Failure;
use unix::login::{self, Login};
use unix::program::{Exit, Invocation};
use unix::secret::Secret;

/// The descriptor that name and password come from.
const CREDENTIALS: i32 = 3;
/// Most bytes that come from it.
const LIMIT: usize = 512;
/// Name or password is wrong, or so much was sent that nothing in it counts.
const REFUSED: Exit = Exit(1);
/// There is no program, or no name and password.
const MISUSED: Exit = Exit(2);
/// What is hashed for those who have no hash: as slow as what passwd(1) of the system makes by default.
const NOBODYS_HASH: &[u8] = b"$y$j9T$/DSqAtIXqVmEBIS1CbIDM/$6phc5d2ShrQTv.l40lsoN9Pjw0V6U.eOYgxrI4oVxq3";

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    match check(&invocation.arguments) {
        Ok(never) => match never {},
        // A status and no word.
        Err(exit) => Ok(exit),
    }
}

/// Becomes the program; the status if that was not to be.
fn check(program: &[Vec<u8>]) -> Result<Infallible, Exit> {
    if program.is_empty() {
        return Err(MISUSED);
    }
    let login = authenticate(&read()?)?;
    let account = &login.account;
    Identity::new(account.uid, account.gid).assume().map_err(|_| REFUSED)?;
    std::env::set_current_dir(OsStr::from_bytes(&account.home)).map_err(trouble)?;
    let mut environment = Environment::inherited();
    environment.set("USER", &account.name);
    environment.set("HOME", &account.home);
    environment.set("SHELL", &login.shell);
    drop(login);
    Err(trouble(exec::exec(program, &environment, Search::Path)))
}

/// All that comes from the descriptor, which is closed then.
fn read() -> Result<Secret, Exit> {
    let mut pipe = std::fs::File::from(descriptor::inherited(CREDENTIALS).map_err(trouble)?);
    // A byte more than is let in.
    let mut room = Secret::zeroed(LIMIT.saturating_add(1));
    let mut length: usize = 0;
    loop {
        let free = room.room().get_mut(length..).unwrap_or_default();
        if free.is_empty() {
            return Err(REFUSED);
        }
        match pipe.read(free) {
            Ok(0) => return Ok(Secret::copy_of(room.get(..length).unwrap_or_default())),
            Ok(more) => length = length.saturating_add(more),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(trouble(error)),
        }
    }
}

/// The user, if there is one of this name and with this password.
fn authenticate(credentials: &[u8]) -> Result<Login, Exit> {
    let (name, password) = name_and_password(credentials).ok_or(MISUSED)?;
    let crypt = Crypt::load().map_err(trouble)?;
    let found = login::find(name).map_err(trouble)?;
    match found {
        Some(login) if has_hash(&login) && crypt.matches(password, &login.hash) => Ok(login),
        Some(login) if has_hash(&login) => Err(REFUSED),
        _ => {
            let _no_matter = crypt.matches(password, NOBODYS_HASH);
            Err(REFUSED)
        }
    }
}

/// The first two words of those that a NUL ends.
fn name_and_password(credentials: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, rest) = word(credentials)?;
    let (password, _) = word(rest)?;
    Some((name, password))
}

fn word(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (word, rest) = bytes.split_at_checked(memchr::memchr(0, bytes)?)?;
    Some((word, rest.get(1..)?))
}

/// Whether there is a hash that some password has: not for an account that is locked, and not where there is none, which
/// elsewhere means that any password will do.
fn has_hash(login: &Login) -> bool {
    !matches!(login.hash.first(), None | Some(b'!' | b'*')) && *login.hash != *b"x"
}

fn trouble(_: io::Error) -> Exit {
    Exit::TEMPORARY
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    #[test]
    fn name_and_password_end_in_a_nul_each_and_the_rest_does_not_count() {
        let pair = |bytes: &'static [u8]| name_and_password(bytes);
        assert_eq!(pair(b"joe\0secret\0stamp\0"), Some((&b"joe"[..], &b"secret"[..])));
        assert_eq!(pair(b"joe\0secret\0stamp"), Some((&b"joe"[..], &b"secret"[..])));
        assert_eq!(pair(b"joe\0secret\0"), Some((&b"joe"[..], &b"secret"[..])));
        assert_eq!(pair(b"joe\0\0"), Some((&b"joe"[..], &b""[..])));
        for wrong in [&b""[..], b"joe", b"joe\0", b"joe\0secret"] {
            assert_eq!(name_and_password(wrong), None);
        }
    }

    #[test]
    fn nobodys_hash_is_one_that_takes_its_time() {
        let crypt = Crypt::load().unwrap();
        assert!(!crypt.matches(b"", NOBODYS_HASH));
    }

    proptest! {
        /// Whatever is sent, both words are parts of it, and neither has a NUL.
        #[test]
        fn both_words_come_from_what_was_sent(bytes in any::<Vec<u8>>()) {
            if let Some((name, password)) = name_and_password(&bytes) {
                prop_assert!(!name.contains(&0) && !password.contains(&0));
                let again = [name, b"\0", password, b"\0"].concat();
                prop_assert_eq!(&bytes[..again.len()], &again[..]);
            }
        }
    }
}
