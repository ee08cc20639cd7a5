//! The names in a log directory, and how many of its files stay.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// The names in a directory but for those of directories, which are nobody's log whatever they are called (R5).
pub fn list(directory: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_directory {
            names.push(entry.file_name().into_vec());
        }
    }
    Ok(names)
}

/// How much of a log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Files, the one being written included.
    pub files: u64,
    /// Bytes in all of them, if that is limited.
    pub bytes: Option<u64>,
}

impl Keep {
    /// The finished files that have to go, oldest first, so that there is room for one more of `next` bytes.
    ///
    /// The names come oldest first. `size` is asked for them only if it matters.
    pub fn surplus(self, mut names: Vec<Vec<u8>>, next: u64, size: impl Fn(&[u8]) -> u64) -> Vec<Vec<u8>> {
        let files = usize::try_from(self.files.saturating_sub(1)).unwrap_or(usize::MAX);
        let mut kept = names.len().min(files);
        if let Some(bytes) = self.bytes {
            let mut room = bytes.saturating_sub(next);
            let fitting = names.iter().rev().take_while(|name| match room.checked_sub(size(name)) {
                Some(rest) => {
                    room = rest;
                    true
                }
                None => false,
            });
            kept = kept.min(fitting.count());
        }
        names.truncate(names.len().saturating_sub(kept));
        names
    }
}

/// The size of a file in the working directory; 0 if there is none.
pub fn size(name: &[u8]) -> u64 {
    fs::symlink_metadata(OsStr::from_bytes(name)).map_or(0, |metadata| metadata.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What goes of files with these sizes, oldest first.
    fn surplus(files: u64, bytes: Option<u64>, sizes: &[u8]) -> Vec<u8> {
        let names = sizes.iter().map(|size| vec![*size]).collect();
        let gone = Keep { files, bytes }.surplus(names, 10, |name| u64::from(name[0]));
        gone.concat()
    }

    #[test]
    fn the_newest_files_stay_as_far_as_their_number_goes() {
        assert_eq!(surplus(3, None, &[1, 2, 3, 4]), [1, 2]);
        assert!(surplus(5, None, &[1, 2, 3, 4]).is_empty());
        assert_eq!(surplus(1, None, &[1, 2]), [1, 2]);
    }

    #[test]
    fn the_newest_files_stay_as_far_as_they_fit_with_the_next_one() {
        assert_eq!(surplus(9, Some(17), &[1, 2, 3, 4]), [1, 2]);
        assert_eq!(surplus(9, Some(16), &[1, 2, 3, 4]), [1, 2, 3]);
        assert_eq!(surplus(9, Some(5), &[1, 2]), [1, 2]);
        assert_eq!(surplus(2, Some(1000), &[1, 2]), [1]);
        // A large old one does not make room for a small one that is older.
        assert_eq!(surplus(9, Some(17), &[1, 200, 3]), [1, 200]);
    }
}
