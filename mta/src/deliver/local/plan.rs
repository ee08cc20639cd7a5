//! What happens to mail for an address, decided without delivering anything.
//!
//! The home directory says whether its owner wants mail delivered now; a file in it, or the default of the
//! installation, says what to do. Programs that only want to know whether an address exists ask here too:
//! [`Refusal::NoMailbox`] is "no", every other refusal is "that cannot be said now".

use super::dot_qmail::{self, DotQmail, Glimpse};
use super::instruction::Instructions;
use super::refusal::Refusal;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Whether a user's home directory is ready for deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HomeDirectory {
    /// It is.
    Ready,
    /// Its sticky bit is set: the user is editing his `.qmail` files, and mail waits.
    BeingEdited,
}

/// Looks at a home directory. One that everybody may write is nobody's word.
///
/// A group that may write is trusted: it is usually the user's own.
pub fn check_home(directory: &Path) -> Result<HomeDirectory, Refusal> {
    let mode = std::fs::metadata(directory).map_err(Refusal::HomeUnreadable)?.mode();
    if mode & 0o002 != 0 {
        return Err(Refusal::HomeWritable);
    }
    Ok(if mode & 0o1000 == 0 { HomeDirectory::Ready } else { HomeDirectory::BeingEdited })
}

/// The instructions for one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    text: Vec<u8>,
    forward_only: bool,
    /// What a `…-default` file stood in for: the value of DEFAULT.
    pub default: Option<Vec<u8>>,
    /// Whether the instructions are the installation's, because the user has none.
    pub is_default_delivery: bool,
}

impl Plan {
    fn default_delivery(text: &[u8], default: Option<Vec<u8>>) -> Plan {
        Plan { text: text.to_vec(), forward_only: false, default, is_default_delivery: true }
    }

    /// The instructions, in order.
    pub fn instructions(&self) -> Instructions<'_> {
        Instructions::new(&self.text, self.forward_only)
    }
}

/// Finds the instructions for an address: its `.qmail` file, or the default if that is empty.
///
/// A user's own address (no dash) needs no file. An extension without a file does not exist.
pub fn make(directory: &Path, dash: &[u8], ext: &[u8], default_delivery: &[u8]) -> Result<Plan, Refusal> {
    make_telling(directory, dash, ext, default_delivery, &mut |_, _| ())
}

/// The same, telling for the name of each file that is tried whether it controls the address.
pub fn make_telling(
    directory: &Path,
    dash: &[u8],
    ext: &[u8],
    default_delivery: &[u8],
    tell: &mut dyn FnMut(&[u8], bool),
) -> Result<Plan, Refusal> {
    match dot_qmail::find_telling(directory, dash, ext, tell)? {
        None if !dash.is_empty() => Err(Refusal::NoMailbox),
        None => Ok(Plan::default_delivery(default_delivery, None)),
        Some(found) => follow(found, default_delivery),
    }
}

/// Whether delivery would find instructions for an address, as its controller sees it: nothing is read.
pub fn exists(directory: &Path, dash: &[u8], ext: &[u8]) -> Result<bool, Refusal> {
    Ok(dash.is_empty() || dot_qmail::find(directory, dash, ext)?.is_some())
}

/// The same, for somebody else, who may not open the files: [`Glimpse::Hidden`] is no answer.
pub fn glimpse(directory: &Path, dash: &[u8], ext: &[u8]) -> Result<Glimpse, Refusal> {
    if dash.is_empty() { Ok(Glimpse::Controlled) } else { dot_qmail::glimpse(directory, dash, ext) }
}

/// An empty file has no say in anything, not even with its mode.
fn follow(found: DotQmail, default_delivery: &[u8]) -> Result<Plan, Refusal> {
    let forward_only = found.is_executable();
    let (text, default) = found.read()?;
    Ok(if text.is_empty() {
        Plan::default_delivery(default_delivery, default)
    } else {
        Plan { text, forward_only, default, is_default_delivery: false }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::local::instruction::Instruction;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn an_empty_file_means_the_default_and_its_mode_does_not_count() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(".qmail-a");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
        let plan = make(home.path(), b"-", b"a", b"./Mailbox").unwrap();
        let instructions: Vec<_> = plan.instructions().collect();
        assert!(matches!(instructions.as_slice(), [Ok(Instruction::Mbox(name))] if name == b"./Mailbox"));
    }

    #[test]
    fn an_address_without_a_file_exists_only_if_it_is_the_users_own() {
        let home = tempfile::tempdir().unwrap();
        assert!(make(home.path(), b"", b"", b"./Mailbox").is_ok());
        assert!(matches!(make(home.path(), b"-", b"x", b"./Mailbox"), Err(Refusal::NoMailbox)));
    }

    #[test]
    fn a_home_that_everybody_may_write_is_refused_and_a_sticky_one_is_told() {
        let home = tempfile::tempdir().unwrap();
        let with_mode = |mode| {
            fs::set_permissions(home.path(), Permissions::from_mode(mode)).unwrap();
            check_home(home.path())
        };
        assert_eq!(with_mode(0o775).unwrap(), HomeDirectory::Ready);
        assert_eq!(with_mode(0o1755).unwrap(), HomeDirectory::BeingEdited);
        assert!(matches!(with_mode(0o1757), Err(Refusal::HomeWritable)));
    }
}
