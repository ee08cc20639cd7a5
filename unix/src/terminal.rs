//! Terminals, and who is logged in on them.

use nix::fcntl::OFlag;
use nix::libc;
use std::ffi::c_char;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// One user's presence on one terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The user's name; the system keeps no more than [`LONGEST_NAME`] bytes of it.
    pub user: Vec<u8>,
    /// The terminal: a path below `/dev`.
    pub line: Vec<u8>,
}

/// The longest user name of which the system knows that it is a whole one.
pub const LONGEST_NAME: usize = libc::__UT_NAMESIZE;

/// Who is logged in, and where. If the system keeps no such list it is empty.
pub fn logins() -> Vec<Login> {
    let mut found = Vec::new();
    // SAFETY: no program of the suite reads this list in a second thread, which is all that the calls ask for.
    unsafe { libc::setutxent() };
    // SAFETY: as above. The answer is null, or points to a record that stays until the next call.
    while let Some(record) = unsafe { libc::getutxent().as_ref() } {
        if record.ut_type == libc::USER_PROCESS {
            found.push(Login { user: text(&record.ut_user), line: text(&record.ut_line) });
        }
    }
    // SAFETY: as above.
    unsafe { libc::endutxent() };
    found
}

/// A field of fixed size, which a NUL ends early.
fn text(field: &[c_char]) -> Vec<u8> {
    field.iter().map(|character| character.to_ne_bytes()[0]).take_while(|byte| *byte != 0).collect()
}

/// Opens a terminal for messages, if it is one, `owner` owns it, and he lets programs announce mail there.
///
/// That is the `x` bit for the owner, which biff(1) sets. Nothing is waited for: neither a modem nor a terminal
/// that was stopped.
///
/// # Errors
/// It cannot be opened; EPERM if it is none, or another's, or its owner wants no messages.
pub fn open_for_messages(path: &Path, owner: u32) -> io::Result<File> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_NOFOLLOW;
    let terminal = OpenOptions::new().append(true).custom_flags(flags.bits()).open(path)?;
    let found = terminal.metadata()?;
    let accepts = found.uid() == owner && found.mode() & 0o100 != 0;
    if terminal.is_terminal() && accepts { Ok(terminal) } else { Err(nix::errno::Errno::EPERM.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_is_no_terminal_and_a_link_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (path, link) = (directory.path().join("tty"), directory.path().join("link"));
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let owner = crate::account::effective_uid();
        assert_eq!(open_for_messages(&path, owner).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert!(open_for_messages(&link, owner).is_err());
        assert!(std::fs::read(&path).unwrap().is_empty());
    }

    #[test]
    fn a_field_ends_at_its_nul_or_at_its_end() {
        assert_eq!(text(&[106, 111, 0, 1]), b"jo");
        assert_eq!(text(&[106, 111]), b"jo");
    }
}
