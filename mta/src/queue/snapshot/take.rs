//! The order `snapshot`: all accepted messages of the queue, each whole, into a directory.

use super::look::{Look, look};
use super::message::Message;
use super::rights::Rights;
use super::unwritten;
use super::{MAGIC, MESSAGES, UNFINISHED};
use crate::queue::layout::{Kind, MessageNumber};
use crate::queue::listing;
use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use unix::failure::{self, Failure};
use unix::program::Exit;
use unix::stamp::Stamp;
use unix::{account, descriptor, file, process};

/// Takes a snapshot. The queue is the working directory, and the path absolute.
pub fn take(directory: &Path, rights: &Rights, out: &mut impl Write) -> Result<Exit, Failure> {
    prepare(directory)?;
    let unfinished = directory.join(UNFINISHED);
    let written = write(&unfinished, rights);
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    let count = written?;
    // Only now has it the name that restore looks for. A crash before leaves what nobody restores from.
    let finished = directory.join(MESSAGES);
    file::rename_to_new(&unfinished, &finished).map_err(unable("create", &finished))?;
    let above = directory.parent().unwrap_or(Path::new("/"));
    for place in [directory, above] {
        file::sync_directory(place).map_err(unable("sync", place))?;
    }
    writeln!(out, "{count} messages").map_err(unwritten)?;
    Ok(Exit::SUCCESS)
}

/// Makes the directory, or sees that the one that is there is fit for mail. What was broken off in it goes.
fn prepare(directory: &Path) -> Result<(), Failure> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made.map_err(unable("create", directory)),
    }
    let found = fs::symlink_metadata(directory).map_err(unable("stat", directory))?;
    let name = directory.display();
    if !found.is_dir() || found.uid() != account::effective_uid() || found.mode() & 0o077 != 0 {
        return Err(Failure::permanent(format!(
            "unable to use {name}: it has to be a directory of the caller's that nobody else can read: mode 0700"
        )));
    }
    let finished = directory.join(MESSAGES);
    match fs::symlink_metadata(&finished) {
        Ok(_) => {
            return Err(Failure::permanent(format!(
                "unable to create {}: there is a snapshot already",
                finished.display()
            )));
        }
        Err(error) if failure::is_absent(&error) => {}
        Err(error) => return Err(unable("stat", &finished)(error)),
    }
    let unfinished = directory.join(UNFINISHED);
    file::remove_if_present(&unfinished).map_err(unable("unlink", &unfinished))
}

/// Writes all of it, and puts it on disk; how many messages there are.
fn write(path: &Path, rights: &Rights) -> Result<u64, Failure> {
    let trouble = |error| unable("write", path)(error);
    let created = file::create_new(path, 0o600).map_err(unable("create", path))?;
    let mut output = BufWriter::with_capacity(BUFFER, created);
    let (pid, now) = (process::own_pid(), Stamp::now());
    writeln!(output, "{MAGIC}{}.{:09}.{pid}", now.seconds, now.nanoseconds).map_err(trouble)?;
    let mut count: u64 = 0;
    for number in rights.as_qmails(accepted)? {
        let looked = rights.as_qmails(|| look(number).map_err(unable_to_read(number)))?;
        match looked {
            Look::Whole(message, text) => {
                copy(&message, text, &mut output, path)?;
                count = count.saturating_add(1);
            }
            Look::Nothing => {}
            Look::Torn => warn_of(number),
        }
    }
    writeln!(output, "end {count}").map_err(trouble)?;
    let written = output.into_inner().map_err(|error| trouble(error.into_error()))?;
    written.sync_all().map_err(unable("sync", path))?;
    Ok(count)
}

const BUFFER: usize = 256 * 1024;

/// The numbers of all messages that are in S4 or S5 now.
///
/// Todo first: what leaves it while it is read is in info, which is read then.
fn accepted() -> Result<BTreeSet<MessageNumber>, Failure> {
    let mut numbers = BTreeSet::new();
    for directory in [Kind::Todo.directories(), Kind::Info.directories()].concat() {
        numbers.extend(listing::numbers(&directory).map_err(unable("read", &directory))?);
    }
    Ok(numbers)
}

fn copy(message: &Message, mut text: File, output: &mut impl Write, path: &Path) -> Result<(), Failure> {
    let trouble = |error| unable("write", path)(error);
    output.write_all(&message.encode()).map_err(trouble)?;
    let mut left = message.size;
    let mut buffer = vec![0; BUFFER];
    while left > 0 {
        let limit = usize::try_from(left).unwrap_or(BUFFER).min(BUFFER);
        let length = match text.read(buffer.get_mut(..limit).unwrap_or_default()) {
            Ok(0) => return Err(unable_to_read(message.number)(io::ErrorKind::UnexpectedEof.into())),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(unable_to_read(message.number)(error)),
        };
        output.write_all(buffer.get(..length).unwrap_or_default()).map_err(trouble)?;
        left = left.saturating_sub(u64::try_from(length).unwrap_or(u64::MAX));
    }
    output.write_all(b"\n").map_err(trouble)
}

/// qmail-send cannot deliver such a message either.
fn warn_of(number: MessageNumber) {
    let text = format!("qmail-queuectl: warning: message {number} has lost its text, and is left out");
    descriptor::write_error_line(&[text.as_bytes()]);
}

fn unable_to_read(number: MessageNumber) -> impl Fn(io::Error) -> Failure {
    move |error| Failure::temporary(format!("unable to read message {number}")).because(&error)
}

fn unable(what: &'static str, path: &Path) -> impl Fn(io::Error) -> Failure {
    let path: PathBuf = path.to_owned();
    move |error| super::refused(&format!("unable to {what} {}", path.display()), &error)
}
