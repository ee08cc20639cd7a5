//! What the system keeps of a user so that he can log in: the hash of his password, and his shell.

use crate::account::Account;
use crate::secret::{self, Secret};
use nix::errno::Errno;
use nix::libc;
use nix::unistd::User;
use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::ffi::OsStringExt;

/// A user who may be able to log in.
pub struct Login {
    /// Name, numbers and home.
    pub account: Account,
    /// The shell, exactly as passwd(5) has it; it may be empty.
    pub shell: Vec<u8>,
    /// The hash of the password, from shadow(5) if the user has an entry there. It may be empty, or nothing that a password
    /// could have.
    pub hash: Secret,
}

/// Looks a user up by name. `None` means that there is none; trouble with either database is an error.
pub fn find(name: &[u8]) -> io::Result<Option<Login>> {
    let Ok(text) = std::str::from_utf8(name) else { return Ok(None) };
    let Ok(c_name) = CString::new(name) else { return Ok(None) };
    let Some(mut user) = (if text.is_empty() { None } else { User::from_name(text)? }) else {
        return Ok(None);
    };
    let shell = std::mem::take(&mut user.shell).into_os_string().into_vec();
    let mut in_passwd = std::mem::take(&mut user.passwd).into_bytes();
    let hash = match shadow_hash(&c_name)? {
        Some(hash) => hash,
        None => Secret::copy_of(&in_passwd),
    };
    secret::wipe(&mut in_passwd);
    Ok(Some(Login { account: Account::from(user), shell, hash }))
}

/// The hash in shadow(5); nothing for a user without an entry, or on a system without the file.
fn shadow_hash(name: &CStr) -> io::Result<Option<Secret>> {
    let mut length = 4096;
    loop {
        let mut room = Secret::zeroed(length);
        // SAFETY: `spwd` consists of integers and of pointers that may be null; all zeroes is a value of it.
        let mut entry: libc::spwd = unsafe { std::mem::zeroed() };
        let mut found: *mut libc::spwd = std::ptr::null_mut();
        let buffer = room.room();
        // SAFETY: all pointers are to values that live for the call, the buffer has the size that is given, and the name ends
        // in a NUL.
        let number = unsafe {
            libc::getspnam_r(
                name.as_ptr(),
                &raw mut entry,
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                &raw mut found,
            )
        };
        match Errno::from_raw(number) {
            Errno::ERANGE if length < LARGEST => length = length.saturating_mul(2),
            Errno::ENOENT => return Ok(None),
            _ if number != 0 => return Err(io::Error::from_raw_os_error(number)),
            _ if found.is_null() || entry.sp_pwdp.is_null() => return Ok(None),
            // SAFETY: after a success the pointer is to a C string within the buffer, which is alive.
            _ => return Ok(Some(Secret::copy_of(unsafe { CStr::from_ptr(entry.sp_pwdp) }.to_bytes()))),
        }
    }
}

/// No entry is as large as this.
const LARGEST: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_an_impossible_name() {
        for name in [&b""[..], b"no such user", b"root\0", b"\xff"] {
            assert!(find(name).unwrap().is_none());
        }
    }

    #[test]
    fn root_has_a_home_and_a_shell() {
        match find(b"root") {
            Ok(root) => {
                let root = root.unwrap();
                assert_eq!((root.account.uid, root.account.home.is_empty()), (0, false));
                assert!(!root.shell.is_empty());
            }
            // Only root reads the hashes.
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::PermissionDenied),
        }
    }
}
