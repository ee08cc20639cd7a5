//! `qmail-setup install HOME`: directories, programs and queue files, each with its owner and mode.
//!
//! May be repeated: an upgrade replaces programs while they run, and touches neither control files nor mail.
//! What lies below a directory of another account is opened without following links, checked, and changed
//! through its descriptor, so that the account cannot have prepared a surprise for root.

use super::hierarchy::{self, Entry, What};
use super::home::Home;
use super::{Attributes, say, services, trouble};
use crate::control::Control;
use crate::queue::layout;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;
use unix::directory::Directory;
use unix::failure::{self, Failure};
use unix::file;
use unix::program::Exit;

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
    check_split(&home)?;
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

/// The queue is made as `control/conf-split` says, unless messages are in it that another split has put there.
fn check_split(home: &Home) -> Result<(), Failure> {
    layout::use_split_of(&Control::new(home.control()))?;
    let queue = home.queue();
    match layout::misplaced(&queue).map_err(|error| trouble("look through", &queue, &error))? {
        None => Ok(()),
        Some(message) => Err(Failure::temporary(format!(
            "{} is not where control/conf-split has it; put the old number back until the queue is empty",
            queue.join(message).display()
        ))),
    }
}

fn put(entry: &Entry, home: &Home) -> Result<(), Failure> {
    let path = home.path().join(&entry.path);
    let attributes = Attributes::of(entry, home)?;
    let done = match &entry.what {
        What::Program(name) => put_program(name, &path, &attributes),
        _ => put_queue_entry(entry, home, &attributes),
    };
    done.map_err(|error| trouble("install", &path, &error))
}

/// Makes a directory, file or FIFO if it is not there, and gives it to its owner if it is what it should be.
///
/// The owner of a directory on the way could put a link in its place, or one in the place of the entry.
/// Neither is followed; and what is a second name of something else is not touched.
fn put_queue_entry(entry: &Entry, home: &Home, attributes: &Attributes) -> io::Result<()> {
    let top = Directory::open(home.path())?;
    let (Some(parent), Some(name)) = (entry.path.parent(), entry.path.file_name().map(Path::new)) else {
        return give(&File::open(home.path())?, attributes);
    };
    let parent = top.descend(parent)?;
    match entry.what {
        What::Directory | What::Program(_) => parent.make_directory(name)?,
        What::Fifo => parent.make_fifo(name)?,
        What::File { size } => {
            if let Some(mut created) = parent.create_new(name)? {
                created.write_all(&vec![0; size])?;
            }
        }
    }
    let made = parent.open_file(name)?;
    let metadata = made.metadata()?;
    let is_right = match entry.what {
        What::Directory | What::Program(_) => metadata.is_dir(),
        What::Fifo => metadata.file_type().is_fifo() && metadata.nlink() == 1,
        What::File { .. } => metadata.is_file() && metadata.nlink() == 1,
    };
    if is_right { give(&made, attributes) } else { Err(io::ErrorKind::InvalidInput.into()) }
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

/// Owner before mode: changing the owner takes the setuid bit away.
fn give(file: &File, attributes: &Attributes) -> io::Result<()> {
    std::os::unix::fs::fchown(file, Some(attributes.uid), Some(attributes.gid))?;
    file.set_permissions(fs::Permissions::from_mode(attributes.mode))
}
