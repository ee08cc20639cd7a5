//! `qmail-setup check HOME`: what `install` would change. Silence means nothing. It touches nothing itself.

use super::hierarchy::{Entry, What};
use super::home::Home;
use super::{Attributes, own_directory, plan, say, services, text};
use crate::control::Control;
use crate::queue::layout;
use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use unix::failure::{self, Failure};
use unix::file;
use unix::program::Exit;

/// Names every difference; exit 100 if there is one.
pub fn check(path: &Path) -> Result<Exit, Failure> {
    let home = Home::open(path)?;
    layout::use_split_of(&Control::new(home.control()))?;
    let mut differs = false;
    let mut name = |path: &Path, difference: &str| {
        say(format!("{}: {difference}", path.display()));
        differs = true;
    };
    for (entry, wanted) in plan(&home)? {
        let path = home.path().join(&entry.path);
        for difference in differences(&entry, &home, &path, &wanted) {
            name(&path, &difference);
        }
    }
    for (path, difference) in services::differences(&home)? {
        name(&path, &difference);
    }
    Ok(if differs { Exit::PERMANENT } else { Exit::SUCCESS })
}

fn differences(entry: &Entry, home: &Home, path: &Path, wanted: &Attributes) -> Vec<String> {
    let (noun, is_right): (&str, fn(&Metadata) -> bool) = match entry.what {
        What::Directory => ("directory", Metadata::is_dir),
        What::Fifo => ("named pipe", |metadata| metadata.file_type().is_fifo()),
        What::Program(_) | What::Copy(_) | What::BootScript(_) | What::File { .. } => {
            ("regular file", Metadata::is_file)
        }
    };
    let mut differences = attribute_differences(path, noun, is_right, wanted);
    if fs::symlink_metadata(path).is_ok_and(|metadata| is_right(&metadata)) {
        differences.extend(content_difference(entry, home, path));
    }
    differences
}

/// What is wrong with the kind, owner, group and mode of what has this path.
fn attribute_differences(
    path: &Path,
    noun: &str,
    is_right: fn(&Metadata) -> bool,
    wanted: &Attributes,
) -> Vec<String> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => return vec![failure::describe(&error).to_owned()],
    };
    if !is_right(&metadata) {
        return vec![format!("is not a {noun}")];
    }
    let mut differences = Vec::new();
    if metadata.uid() != wanted.uid {
        differences.push(format!("belongs to user {}, not {}", metadata.uid(), wanted.uid));
    }
    if metadata.gid() != wanted.gid {
        differences.push(format!("belongs to group {}, not {}", metadata.gid(), wanted.gid));
    }
    let mode = metadata.mode() & 0o7777;
    if mode != wanted.mode {
        differences.push(format!("has mode {mode:04o}, not {:04o}", wanted.mode));
    }
    differences
}

/// Whether a program is another than ours, or a script or page says something else.
fn content_difference(entry: &Entry, home: &Home, path: &Path) -> Option<String> {
    let compared = match (&entry.what, text(entry, home)) {
        (What::Program(name), _) => {
            let ours = own_directory().map(|directory| directory.join(name));
            ours.and_then(
                |ours| if ours == path { Ok(true) } else { are_equal(path, file::open_read(&ours)?) },
            )
        }
        (_, Some(text)) => are_equal(path, text.as_ref()),
        (_, None) => return None,
    };
    match compared {
        Ok(true) => None,
        Ok(false) => Some(match entry.what {
            What::Program(_) => "is another program".to_owned(),
            _ => "has other contents".to_owned(),
        }),
        Err(error) => Some(format!("cannot be compared: {}", failure::describe(&error))),
    }
}

/// Whether a file has exactly these bytes.
fn are_equal(path: &Path, mut other: impl Read) -> io::Result<bool> {
    let mut file = file::open_read_no_follow(path)?;
    let (mut ours, mut theirs) = (vec![0; BLOCK], vec![0; BLOCK]);
    loop {
        let length = fill(&mut file, &mut ours)?;
        if length != fill(&mut other, &mut theirs)? || ours.get(..length) != theirs.get(..length) {
            return Ok(false);
        }
        if length == 0 {
            return Ok(true);
        }
    }
}

/// Reads as much as there is room for, or left.
fn fill(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match source.read(rest) {
            Ok(0) => break,
            Ok(length) => filled = filled.saturating_add(length),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

const BLOCK: usize = 64 * 1024;
