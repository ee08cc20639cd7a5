//! `qmail-setup check HOME`: what differs from a complete installation. Silence means that nothing does.

use super::hierarchy::{self, Entry, What};
use super::home::Home;
use super::{Attributes, say};
use crate::control::Control;
use crate::queue::layout;
use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use unix::failure::{self, Failure};
use unix::program::Exit;

/// Names every difference; exit 100 if there is one.
pub fn check(path: &Path) -> Result<Exit, Failure> {
    let home = Home::open(path)?;
    layout::use_split_of(&Control::new(home.control()))?;
    let mut differs = false;
    for entry in hierarchy::entries() {
        let wanted = Attributes::of(&entry, &home)?;
        for difference in differences(&entry, &home, &wanted) {
            say(format!("{}: {difference}", home.path().join(&entry.path).display()));
            differs = true;
        }
    }
    Ok(if differs { Exit::PERMANENT } else { Exit::SUCCESS })
}

fn differences(entry: &Entry, home: &Home, wanted: &Attributes) -> Vec<String> {
    let metadata = match fs::symlink_metadata(home.path().join(&entry.path)) {
        Ok(metadata) => metadata,
        Err(error) => return vec![failure::describe(&error).to_owned()],
    };
    if !is_what_it_should_be(&entry.what, &metadata) {
        return vec![format!("is not a {}", noun(&entry.what))];
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

fn is_what_it_should_be(what: &What, metadata: &Metadata) -> bool {
    match what {
        What::Directory => metadata.is_dir(),
        What::Program(_) | What::File { .. } => metadata.is_file(),
        What::Fifo => metadata.file_type().is_fifo(),
    }
}

fn noun(what: &What) -> &'static str {
    match what {
        What::Directory => "directory",
        What::Program(_) | What::File { .. } => "regular file",
        What::Fifo => "named pipe",
    }
}
