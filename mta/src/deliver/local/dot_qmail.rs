//! Finding the `.qmail` file of an address. dot-qmail(5), "EXTENSION ADDRESSES".
//!
//! The extension in a file's name is in lower case and has colons for dots, so no address leads to `..`. An
//! extension that holds a `/` or a NUL is in no file's name: it would lead out of the home directory's own
//! files. (A dash may hold a `/`: the administrator writes it.)

use super::refusal::Refusal;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use unix::{failure, file};

/// No list of addresses is as long as this, in bytes.
const LONGEST: u64 = 16 * 1024 * 1024;

/// The file that controls an address, open.
#[derive(Debug)]
pub struct DotQmail {
    name: Vec<u8>,
    file: File,
    executable: bool,
    default: Option<Vec<u8>>,
}

/// Finds and opens the file that controls an address: its own, else the nearest `…default`.
///
/// # Errors
/// A file that is there but cannot be opened, or that everybody may write: no other file is taken instead.
pub fn find(directory: &Path, dash: &[u8], ext: &[u8]) -> Result<Option<DotQmail>, Refusal> {
    find_telling(directory, dash, ext, &mut |_, _| ())
}

/// The same, telling for the name of each file that is tried whether it controls the address.
pub fn find_telling(
    directory: &Path,
    dash: &[u8],
    ext: &[u8],
    tell: &mut dyn FnMut(&[u8], bool),
) -> Result<Option<DotQmail>, Refusal> {
    for candidate in candidates(dash, ext) {
        let name = candidate.name.clone();
        let found = open(directory, candidate)?;
        tell(&name, found.is_some());
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// What somebody who may not read a user's files can see of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glimpse {
    /// A file controls the address, whatever it says.
    Controlled,
    /// No file does.
    Absent,
    /// That cannot be seen.
    Hidden,
}

/// Looks for the file that controls an address without opening anything and without following a link that
/// stands in its place: the owner of the directory can put anything there.
///
/// # Errors
/// The system does not answer for now.
pub fn glimpse(directory: &Path, dash: &[u8], ext: &[u8]) -> Result<Glimpse, Refusal> {
    for Candidate { name, .. } in candidates(dash, ext) {
        match std::fs::symlink_metadata(directory.join(OsStr::from_bytes(&name))) {
            Ok(found) if found.is_file() => return Ok(Glimpse::Controlled),
            // What is no file is passed over, if its owner can open it to find that out.
            Ok(found) if !found.is_symlink() && found.mode() & 0o400 != 0 => {}
            Ok(_) => return Ok(Glimpse::Hidden),
            Err(error) if failure::is_temporary(&error) => {
                return Err(Refusal::DotQmailUnreadable { name, error });
            }
            Err(error) if is_there(&error) => return Ok(Glimpse::Hidden),
            Err(_) => {}
        }
    }
    Ok(Glimpse::Absent)
}

impl DotQmail {
    /// Whether the user has set the `x` bit, which allows forwards only.
    pub fn is_executable(&self) -> bool {
        self.executable
    }

    /// Its whole text, and what the word `default` in its name stands for.
    pub fn read(self) -> Result<(Vec<u8>, Option<Vec<u8>>), Refusal> {
        let mut text = Vec::new();
        // What is too long is never cut: the rest might have refused the message.
        match (&self.file).take(LONGEST).read_to_end(&mut text) {
            Ok(length) if length as u64 == LONGEST => Err(Refusal::DotQmailTooLong { name: self.name }),
            Ok(_) => Ok((text, self.default)),
            Err(error) => Err(Refusal::DotQmailUnreadable { name: self.name, error }),
        }
    }
}

/// An extension as it stands in the names of files.
pub fn safe_extension(ext: &[u8]) -> Vec<u8> {
    ext.iter().map(|byte| if *byte == b'.' { b':' } else { byte.to_ascii_lowercase() }).collect()
}

/// Whether an extension, or a part of one, may stand in the name of a file.
pub fn is_file_name_part(ext: &[u8]) -> bool {
    !ext.iter().any(|byte| matches!(byte, b'/' | 0))
}

/// The name of a file that may control an address, and the value of DEFAULT if it does.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Candidate {
    name: Vec<u8>,
    default: Option<Vec<u8>>,
}

/// `.qmail-a-b`, `.qmail-a-default`, `.qmail-default` for the extension `a-b`.
fn candidates(dash: &[u8], ext: &[u8]) -> Vec<Candidate> {
    let safe = safe_extension(ext);
    let named = |part: &[u8], end: &[u8]| [b".qmail", dash, part, end].concat();
    let own = is_file_name_part(&safe).then(|| Candidate {
        name: named(&safe, b""),
        // An address that ends in `default` is its own default file.
        default: safe.strip_suffix(b"default").and_then(|before| ext.get(before.len()..)).map(<[u8]>::to_vec),
    });
    let defaults = (0..=safe.len()).rev().filter_map(|at| {
        let (part, rest) = (safe.get(..at)?, ext.get(at..)?);
        let ends_here = part.last().is_none_or(|last| *last == b'-');
        (ends_here && is_file_name_part(part))
            .then(|| Candidate { name: named(part, b"default"), default: Some(rest.to_vec()) })
    });
    own.into_iter().chain(defaults).collect()
}

fn open(directory: &Path, candidate: Candidate) -> Result<Option<DotQmail>, Refusal> {
    let Candidate { name, default } = candidate;
    let file = match file::open_read(&directory.join(OsStr::from_bytes(&name))) {
        Ok(file) => file,
        Err(error) if is_there(&error) => return Err(Refusal::DotQmailUnreadable { name, error }),
        Err(_) => return Ok(None),
    };
    let found = match file.metadata() {
        Ok(found) => found,
        Err(error) => return Err(Refusal::DotQmailUnreadable { name, error }),
    };
    if !found.is_file() {
        return Ok(None);
    }
    if found.mode() & 0o002 != 0 {
        return Err(Refusal::DotQmailWritable);
    }
    Ok(Some(DotQmail { name, file, executable: found.mode() & 0o100 != 0, default }))
}

/// Whether a file that cannot be opened may be there all the same. Names that are too long or lead through
/// something that is no directory belong to no file.
fn is_there(error: &std::io::Error) -> bool {
    failure::is_temporary(error) || error.kind() == std::io::ErrorKind::PermissionDenied
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    fn names(dash: &[u8], ext: &[u8]) -> Vec<String> {
        candidates(dash, ext).iter().map(|one| String::from_utf8_lossy(&one.name).into_owned()).collect()
    }

    #[test]
    fn the_search_goes_from_the_address_to_its_nearest_default() {
        let cases: [(&[u8], &[u8], &[&str]); 6] = [
            (b"-", b"a-b-c", &[".qmail-a-b-c", ".qmail-a-b-default", ".qmail-a-default", ".qmail-default"]),
            (b"", b"", &[".qmail", ".qmaildefault"]),
            (b"-", b"", &[".qmail-", ".qmail-default"]),
            (b"-", b"A.B-", &[".qmail-a:b-", ".qmail-a:b-default", ".qmail-default"]),
            (b"-", b"--", &[".qmail---", ".qmail---default", ".qmail--default", ".qmail-default"]),
            (b"-/", b"x", &[".qmail-/x", ".qmail-/default"]),
        ];
        for (dash, ext, expected) in cases {
            assert_eq!(names(dash, ext), expected);
        }
    }

    /// L3: such an extension is in nobody's file name; the default file still speaks for it.
    #[test]
    fn l3_an_extension_with_a_slash_or_a_nul_leads_to_default_files_only() {
        assert_eq!(names(b"-", b"a-b/../../c-d"), [".qmail-a-default", ".qmail-default"]);
        assert_eq!(names(b"-", b"/etc/passwd"), [".qmail-default"]);
        assert_eq!(names(b"-", b"a\0b"), [".qmail-default"]);
        assert_eq!(names(b"-", b"../x"), [".qmail-default"]);
    }

    #[test]
    fn default_is_what_the_word_stands_for_in_the_case_of_the_address() {
        let defaults = |ext: &[u8]| -> Vec<Option<Vec<u8>>> {
            candidates(b"-", ext).into_iter().map(|one| one.default).collect()
        };
        let some = |text: &str| Some(text.as_bytes().to_vec());
        assert_eq!(defaults(b"zork-BLah.x"), [None, some("BLah.x"), some("zork-BLah.x")]);
        assert_eq!(defaults(b"x-DEFault"), [some("DEFault"), some("DEFault"), some("x-DEFault")]);
        assert_eq!(defaults(b""), [None, some("")]);
    }

    proptest! {
        /// L3: whatever the address, each file is one in the home directory itself.
        #[test]
        fn l3_no_extension_opens_a_file_outside_the_home(ext in proptest::collection::vec(any::<u8>(), 0..60)) {
            for candidate in candidates(b"-", &ext) {
                prop_assert!(candidate.name.starts_with(b".qmail-"));
                prop_assert!(is_file_name_part(&candidate.name));
            }
        }
    }

    #[test]
    fn what_is_no_regular_file_is_passed_over_and_a_writable_file_is_not() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(".qmail-a")).unwrap();
        unix::fifo::make(&home.path().join(".qmail-default")).unwrap();
        assert!(find(home.path(), b"-", b"a").unwrap().is_none());
        fs::remove_file(home.path().join(".qmail-default")).unwrap();
        fs::write(home.path().join(".qmail-default"), "x").unwrap();
        assert!(find(home.path(), b"-", b"a").unwrap().is_some());
        fs::set_permissions(home.path().join(".qmail-default"), Permissions::from_mode(0o602)).unwrap();
        assert!(matches!(find(home.path(), b"-", b"a"), Err(Refusal::DotQmailWritable)));
        let long = vec![b'x'; 300];
        assert!(
            matches!(find(home.path(), b"-", &long), Err(Refusal::DotQmailWritable)),
            "too long: no file"
        );
    }
}
