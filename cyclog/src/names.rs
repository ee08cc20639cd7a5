//! The names in a log directory.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
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
