//! `qmail-setup install HOME`: directories, programs, scripts, manual pages and queue files, each with its owner
//! and mode.
//!
//! May be repeated, and on what another qmail installed: an upgrade replaces programs while they run, and touches
//! neither control files nor mail.
//! What lies below a directory of another account is opened without following links, checked, and changed
//! through its descriptor, so that the account cannot have prepared a surprise for root.

use super::hierarchy::{Entry, What};
use super::home::Home;
use super::{Attributes, own_directory, plan, say, services, text, trouble};
use crate::control::Control;
use crate::queue::layout;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;
use unix::directory::Directory;
use unix::failure::Failure;
use unix::file;
use unix::program::Exit;

/// Installs everything, services included, and says so.
pub fn install(path: &Path) -> Result<Exit, Failure> {
    put_everything(path)?;
    services::install(&Home::open(path)?, &[])?;
    say(format!("installed in {}", path.display()));
    Ok(Exit::SUCCESS)
}

/// Makes every entry of the hierarchy.
pub fn put_everything(path: &Path) -> Result<(), Failure> {
    unix::process::set_umask(0o022);
    fs::create_dir_all(path).map_err(|error| trouble("create", path, &error))?;
    let home = Home::open(path)?;
    check_split(&home)?;
    // Made before anything is changed: a missing account is an error, not half an installation.
    for (entry, attributes) in plan(&home)? {
        put(&entry, &home, &attributes)?;
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

fn put(entry: &Entry, home: &Home, attributes: &Attributes) -> Result<(), Failure> {
    let path = home.path().join(&entry.path);
    let done = match (&entry.what, text(entry, home)) {
        (What::Program(name), _) => put_program(name, &path, attributes),
        (_, Some(text)) => put_text(&text, &path, attributes),
        (_, None) => put_queue_entry(entry, home, attributes),
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
        What::Fifo => parent.make_fifo(name)?,
        What::File { size } => {
            if let Some(mut created) = parent.create_new(name)? {
                created.write_all(&vec![0; size])?;
            }
        }
        _ => parent.make_directory(name)?,
    }
    let made = parent.open_file(name)?;
    let metadata = made.metadata()?;
    let is_right = match entry.what {
        What::Fifo => metadata.file_type().is_fifo() && metadata.nlink() == 1,
        What::File { .. } => metadata.is_file() && metadata.nlink() == 1,
        _ => metadata.is_dir(),
    };
    if is_right { give(&made, attributes) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

fn put_program(name: &str, path: &Path, attributes: &Attributes) -> io::Result<()> {
    let source = own_directory()?.join(name);
    if source == path {
        return give(&file::open_read_no_follow(path)?, attributes);
    }
    put_file(path, attributes, |program| io::copy(&mut File::open(&source)?, program).map(|_| ()))
}

/// A script or page that is there already only gets its owner and mode.
fn put_text(text: &[u8], path: &Path, attributes: &Attributes) -> io::Result<()> {
    if let Ok(mut present) = file::open_read_no_follow(path)
        && present.metadata()?.is_file()
        && has_text(&mut present, text)?
    {
        return give(&present, attributes);
    }
    put_file(path, attributes, |file| file.write_all(text))
}

fn has_text(file: &mut File, text: &[u8]) -> io::Result<bool> {
    let mut present = Vec::new();
    let limit = u64::try_from(text.len()).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut present)?;
    Ok(present == text)
}

/// A file is put beside its place and renamed into it: the old one goes on running, and no moment has none.
fn put_file(
    path: &Path,
    attributes: &Attributes,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = path.with_file_name(format!(".{name}.new"));
    file::remove_if_present(&aside)?;
    let mut file = file::create_new(&aside, 0o700)?;
    let put = write(&mut file)
        .and_then(|()| give(&file, attributes))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&aside, path));
    if put.is_err() {
        let _ = fs::remove_file(&aside);
    }
    put
}

/// Owner before mode: changing the owner takes the setuid bit away.
fn give(file: &File, attributes: &Attributes) -> io::Result<()> {
    std::os::unix::fs::fchown(file, Some(attributes.uid), Some(attributes.gid))?;
    file.set_permissions(fs::Permissions::from_mode(attributes.mode))
}
