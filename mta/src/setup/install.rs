//! `qmail-setup install HOME`: directories, programs and queue files, each with its owner and mode.
//!
//! May be repeated: an upgrade replaces programs while they run, and touches neither control files nor mail.
//! What lies below a directory of another account is opened without following links, checked, and changed
//! through its descriptor, so that the account cannot have prepared a surprise for root.

use super::hierarchy::{self, Entry, What};
use super::home::Home;
use super::{Attributes, say, services, trouble};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;
use unix::failure::{self, Failure};
use unix::program::Exit;
use unix::{fifo, file};

/// Installs everything, services included, and says so.
pub fn install(path: &Path) -> Result<Exit, Failure> {
    put_everything(path)?;
    services::install(&Home::open(path)?, &services::Choices::default())?;
    say(format!("installed in {}", path.display()));
    Ok(Exit::SUCCESS)
}

/// Makes every entry of the hierarchy.
pub fn put_everything(path: &Path) -> Result<(), Failure> {
    unix::process::set_umask(0o022);
    fs::create_dir_all(path).map_err(|error| trouble("create", path, &error))?;
    let home = Home::open(path)?;
    let entries = hierarchy::entries();
    // Asked for before anything is changed: a missing account is an error, not half an installation.
    for entry in &entries {
        Attributes::of(entry, &home)?;
    }
    for entry in &entries {
        put(entry, &home)?;
    }
    Ok(())
}

fn put(entry: &Entry, home: &Home) -> Result<(), Failure> {
    let path = home.path().join(&entry.path);
    let attributes = Attributes::of(entry, home)?;
    let done = match &entry.what {
        What::Directory => put_directory(&path, &attributes),
        What::Program(name) => put_program(name, &path, &attributes),
        What::File { size } => put_file(&path, *size, &attributes),
        What::Fifo => put_fifo(&path, &attributes),
    };
    done.map_err(|error| trouble("install", &path, &error))
}

fn put_directory(path: &Path, attributes: &Attributes) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let directory = file::open_read_no_follow(path)?;
    if !directory.metadata()?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    give(&directory, attributes)
}

/// A program is put beside its place and renamed into it: the old one goes on running, and no moment has none.
fn put_program(name: &str, path: &Path, attributes: &Attributes) -> io::Result<()> {
    let source = own_directory()?.join(name);
    if source == path {
        return give(&file::open_read_no_follow(path)?, attributes);
    }
    let aside = path.with_file_name(format!(".{name}.new"));
    match fs::remove_file(&aside) {
        Err(error) if !failure::is_absent(&error) => return Err(error),
        _ => {}
    }
    let mut program = file::create_new(&aside, 0o700)?;
    let copied = io::copy(&mut File::open(&source)?, &mut program)
        .and_then(|_| give(&program, attributes))
        .and_then(|()| program.sync_all())
        .and_then(|()| fs::rename(&aside, path));
    if copied.is_err() {
        let _ = fs::remove_file(&aside);
    }
    copied
}

/// Where qmail-setup itself lies, and all other programs with it.
fn own_directory() -> io::Result<std::path::PathBuf> {
    let program = fs::read_link("/proc/self/exe")?;
    program.parent().map(Path::to_path_buf).ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn put_file(path: &Path, size: usize, attributes: &Attributes) -> io::Result<()> {
    match file::create_new(path, 0o600) {
        Ok(mut created) => created.write_all(&vec![0; size])?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let existing = file::open_read_no_follow(path)?;
    let metadata = existing.metadata()?;
    if !metadata.is_file() || metadata.nlink() != 1 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    give(&existing, attributes)
}

fn put_fifo(path: &Path, attributes: &Attributes) -> io::Result<()> {
    if fs::symlink_metadata(path).is_err() {
        fifo::make(path)?;
    }
    give(&fifo::open_reader(path)?, attributes)
}

/// Owner before mode: changing the owner takes the setuid bit away.
fn give(file: &File, attributes: &Attributes) -> io::Result<()> {
    std::os::unix::fs::fchown(file, Some(attributes.uid), Some(attributes.gid))?;
    file.set_permissions(fs::Permissions::from_mode(attributes.mode))
}
