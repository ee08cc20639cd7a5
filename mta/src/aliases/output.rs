//! Putting a compiled table or list in place of the old one.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use unix::failure::Failure;
use unix::file::{self, Step};

/// Everybody may read tables: they name no secret, and fastforward runs as several users.
const MODE: u32 = 0o644;

/// Puts the bytes in place of `path`, by way of `temporary` in the same directory.
///
/// # Errors
/// Permanent if both are one name; temporary otherwise, and then `path` is as it was, except that if its directory
/// cannot be synced a power cut may bring the old one back.
pub fn replace(path: &[u8], temporary: &[u8], bytes: &[u8]) -> Result<(), Failure> {
    if path == temporary {
        return Err(Failure::permanent([b"the temporary file is the result: ", path].concat()));
    }
    let as_path = |name| Path::new(OsStr::from_bytes(name));
    file::replace_by_steps(as_path(path), as_path(temporary), bytes, MODE).map_err(|(step, error)| {
        let text = match step {
            Step::Create => [&b"unable to create "[..], temporary].concat(),
            Step::Write => [b"unable to write to ", temporary].concat(),
            Step::Move => [b"unable to move ", temporary, b" to ", path].concat(),
            Step::Sync => [b"unable to sync the directory of ", path].concat(),
        };
        Failure::temporary(text).because(&error)
    })
}
