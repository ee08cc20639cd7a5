//! Passwords against their hashes, as crypt(3) of the system makes them.
//!
//! The library is loaded when it is first needed: a build needs nothing of it, and a program links nothing that it does not
//! use. Only for programs that are linked with the shared C library, as all are that look up users.

use crate::secret::Secret;
use nix::libc;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io;

/// The names that the library has on Linux systems.
const LIBRARIES: [&CStr; 2] = [c"libcrypt.so.1", c"libcrypt.so.2"];
/// `crypt_rn(phrase, setting, data, size)`: the hash within `data`, or null. In libxcrypt.
type CryptRn = unsafe extern "C" fn(*const c_char, *const c_char, *mut c_void, c_int) -> *mut c_char;
/// `crypt_r(phrase, setting, data)`: the same, in the C library's own older one.
type CryptR = unsafe extern "C" fn(*const c_char, *const c_char, *mut c_void) -> *mut c_char;
/// More than any `struct crypt_data` has: 32,768 bytes in libxcrypt, 131,232 in the older library.
const ROOM: usize = 256 * 1024;

/// The system's way of hashing passwords.
pub struct Crypt(Function);

enum Function {
    Sized(CryptRn),
    Plain(CryptR),
}

impl Crypt {
    /// Loads the library.
    ///
    /// # Errors
    /// ENOSYS if there is none, or none that we know how to call.
    pub fn load() -> io::Result<Crypt> {
        for library in LIBRARIES {
            // SAFETY: the name is a C string. What the library does when it is loaded (nothing, in all that have the name) is
            // the system's to vouch for, as for each library that a program is linked with.
            let handle = unsafe { libc::dlopen(library.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
            if !handle.is_null()
                && let Some(function) = Function::find(handle)
            {
                return Ok(Crypt(function));
            }
        }
        Err(nix::errno::Errno::ENOSYS.into())
    }

    /// Whether a password is the one that the hash was made of. A hash that is none, such as `*` or `!`, fits no password.
    ///
    /// It takes as long for a wrong password as for the right one.
    pub fn matches(&self, password: &[u8], stored: &[u8]) -> bool {
        self.hash(password, stored).is_some_and(|hash| same(&hash, stored))
    }

    /// The hash of a password under the method and salt of a stored hash.
    fn hash(&self, password: &[u8], stored: &[u8]) -> Option<Secret> {
        if password.contains(&0) {
            return None;
        }
        let setting = CString::new(stored).ok()?;
        // With a NUL behind it.
        let mut phrase = Secret::zeroed(password.len().checked_add(1)?);
        phrase.room().get_mut(..password.len())?.copy_from_slice(password);
        // Both kinds of `struct crypt_data` consist of bytes and integers and are to be zero at first. The room is so large
        // that the allocator gives whole pages, and `first` is where they are aligned for any of them.
        let mut room = Secret::zeroed(ROOM);
        let first = room.room().as_ptr().align_offset(ALIGNMENT);
        let data = room.room().get_mut(first..)?;
        let size = c_int::try_from(data.len()).ok()?;
        let data: *mut c_void = data.as_mut_ptr().cast();
        let phrase: *const c_char = phrase.as_ptr().cast();
        let found = match self.0 {
            // SAFETY: the function has this type in every library that has the name. Both strings end in a NUL and live for the
            // call, as does `data`, which is aligned, zero, and of `size` bytes; the function writes nowhere else.
            Function::Sized(crypt_rn) => unsafe { crypt_rn(phrase, setting.as_ptr(), data, size) },
            // SAFETY: as above; the library that lacks crypt_rn takes a structure that is smaller than `data`.
            Function::Plain(crypt_r) => unsafe { crypt_r(phrase, setting.as_ptr(), data) },
        };
        if found.is_null() {
            return None;
        }
        // SAFETY: a pointer that is not null is to a C string within `data`, which is alive and which nobody writes now.
        Some(Secret::copy_of(unsafe { CStr::from_ptr(found) }.to_bytes()))
    }
}

/// Enough for every type.
const ALIGNMENT: usize = 16;

impl Function {
    fn find(handle: *mut c_void) -> Option<Function> {
        // SAFETY: the handle is one that dlopen gave and nobody closes; the name is a C string.
        let symbol = |name: &CStr| unsafe { libc::dlsym(handle, name.as_ptr()) };
        let sized = symbol(c"crypt_rn");
        if !sized.is_null() {
            // SAFETY: it is the address of a function of this type, by crypt(3), and the library is never unloaded.
            return Some(Function::Sized(unsafe { std::mem::transmute::<*mut c_void, CryptRn>(sized) }));
        }
        let plain = symbol(c"crypt_r");
        if plain.is_null() {
            return None;
        }
        // SAFETY: the same for crypt_r.
        Some(Function::Plain(unsafe { std::mem::transmute::<*mut c_void, CryptR>(plain) }))
    }
}

/// Whether two hashes are the same; every byte is looked at.
fn same(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |found, (left, right)| found | (left ^ right));
    one.len() == other.len() && differences == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `rasmuslerdorf` and others, from the manual pages of several systems.
    const KNOWN: [(&str, &str); 3] = [
        ("rasmuslerdorf", "rl.3StKT.4T8M"),
        ("rasmuslerdorf", "$1$rasmusle$rISCgZzpwk3UhDidwXvin0"),
        (
            "Hello world!",
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
        ),
    ];

    #[test]
    fn known_hashes_fit_their_passwords_and_no_others() {
        let crypt = Crypt::load().unwrap();
        for (password, stored) in KNOWN {
            assert!(crypt.matches(password.as_bytes(), stored.as_bytes()), "{stored}");
            assert!(!crypt.matches(b"other", stored.as_bytes()), "{stored}");
            assert!(!crypt.matches(b"", stored.as_bytes()), "{stored}");
        }
    }

    #[test]
    fn what_is_no_hash_fits_no_password() {
        let crypt = Crypt::load().unwrap();
        for stored in [
            "",
            "*",
            "!",
            "x",
            "!!",
            "*0",
            "*1",
            "$y$",
            "$6$",
            "$99$a$b",
            "!$1$rasmusle$rISCgZzpwk3UhDidwXvin0",
        ] {
            for password in ["", "x", "rasmuslerdorf", stored] {
                assert!(!crypt.matches(password.as_bytes(), stored.as_bytes()), "{stored:?} {password:?}");
            }
        }
        assert!(!crypt.matches(b"rasmuslerdorf\0", b"rl.3StKT.4T8M"));
        assert!(!crypt.matches(b"rasmuslerdorf", b"rl.3StKT.4T8M\0"));
    }
}
