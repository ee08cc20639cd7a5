//! From todo to info, local and remote: who sent the message, and who gets it on which channel.
//!
//! Messages are prepared in batches: first all files of all messages are written, then all are synced, then
//! todo is removed. So a burst of mail waits for the disk once. A crash before todo is removed leaves the message
//! as it came; preparing it again starts from nothing.

use super::channel::{ByChannel, Channel};
use super::log::Log;
use super::route::Routing;
use crate::queue::envelope::Record;
use crate::queue::layout::{Kind, MessageNumber};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use unix::file;

/// A message whose files are written, and maybe on disk.
pub struct Prepared {
    /// The message.
    pub message: MessageNumber,
    /// The channels on which it has recipients.
    pub channels: Vec<Channel>,
    files: Vec<(Kind, File)>,
}

/// Why a message stays in todo: the line for the log. It is tried again with the next look into todo.
struct Trouble(String);

impl Trouble {
    fn with(what: &str, name: &str) -> Trouble {
        Trouble(format!("{what} {name}"))
    }
}

/// Writes the files of one message. Trouble is logged, and gives nothing.
pub fn prepare(message: MessageNumber, routing: &Routing, log: &mut Log) -> Option<Prepared> {
    match write_files(message, routing, log) {
        Ok(prepared) => Some(prepared),
        Err(Trouble(line)) => {
            log.warning(line);
            None
        }
    }
}

fn write_files(message: MessageNumber, routing: &Routing, log: &mut Log) -> Result<Prepared, Trouble> {
    let (todo_name, mess_name) = (Kind::Todo.name(message), Kind::Mess.name(message));
    let todo = file::open_read(&Kind::Todo.path(message))
        .map_err(|_| Trouble::with("unable to open", &todo_name))?;
    let size = fs::metadata(Kind::Mess.path(message))
        .map_err(|_| Trouble::with("unable to stat", &mess_name))?
        .len();
    // Nobody has failed yet: a bounce record here is of an earlier message with this number, or of one that
    // qmail-queuectl was killed at. Told to this sender it would be a lie.
    for kind in [Kind::Local, Kind::Remote, Kind::Bounce, Kind::Info] {
        remove_stale(kind, message)?;
    }
    let mut files = Files { message, info: create(Kind::Info, message)?, channels: ByChannel::default() };
    log.new_message(message);
    let mut origin = Origin::default();
    let mut todo = BufReader::new(todo);
    let mut bytes = Vec::new();
    while let Some(record) =
        next_record(&mut todo, &mut bytes).map_err(|_| Trouble::with("trouble reading", &todo_name))?
    {
        match record {
            Record::Uid(uid) => origin.uid = uid.to_vec(),
            Record::Pid(pid) => origin.pid = pid.to_vec(),
            Record::Sender(sender) => {
                files.put_sender(sender)?;
                log.info(message, size, sender, &origin.pid, &origin.uid);
            }
            Record::Recipient(recipient) => {
                let (channel, address) = routing.route(recipient);
                files.put_recipient(channel, &address)?;
            }
            Record::Done(_) | Record::Unknown => {
                return Err(Trouble::with("unknown record type in", &todo_name));
            }
        }
    }
    files.finish()
}

/// The next record of todo. One without its NUL, at the end of a file that a crash has cut, is none.
fn next_record<'a>(todo: &mut impl BufRead, bytes: &'a mut Vec<u8>) -> io::Result<Option<Record<'a>>> {
    bytes.clear();
    todo.read_until(0, bytes)?;
    Ok(bytes.strip_suffix(b"\0").map(Record::decode))
}

/// Who queued the message, for the log.
#[derive(Default)]
struct Origin {
    uid: Vec<u8>,
    pid: Vec<u8>,
}

fn remove_stale(kind: Kind, message: MessageNumber) -> Result<(), Trouble> {
    file::remove_if_present(&kind.path(message))
        .map_err(|_| Trouble::with("unable to unlink", &kind.name(message)))
}

fn create(kind: Kind, message: MessageNumber) -> Result<BufWriter<File>, Trouble> {
    let created = file::create_new(&kind.path(message), 0o600);
    created.map(BufWriter::new).map_err(|_| Trouble::with("unable to create", &kind.name(message)))
}

/// The files that are being written.
struct Files {
    message: MessageNumber,
    info: BufWriter<File>,
    channels: ByChannel<Option<BufWriter<File>>>,
}

impl Files {
    fn put_sender(&mut self, sender: &[u8]) -> Result<(), Trouble> {
        put(&mut self.info, Kind::Info, self.message, b"F", sender)
    }

    fn put_recipient(&mut self, channel: Channel, address: &[u8]) -> Result<(), Trouble> {
        let kind = channel.kind();
        let place = self.channels.get_mut(channel);
        let writer = match place {
            Some(writer) => writer,
            None => place.insert(create(kind, self.message)?),
        };
        put(writer, kind, self.message, b"T", address)
    }

    fn finish(self) -> Result<Prepared, Trouble> {
        let Files { message, info, mut channels } = self;
        let mut files = vec![(Kind::Info, flushed(info, Kind::Info, message)?)];
        let mut used = Vec::new();
        for channel in Channel::ALL {
            if let Some(writer) = channels.get_mut(channel).take() {
                files.push((channel.kind(), flushed(writer, channel.kind(), message)?));
                used.push(channel);
            }
        }
        Ok(Prepared { message, channels: used, files })
    }
}

fn put(
    writer: &mut BufWriter<File>,
    kind: Kind,
    message: MessageNumber,
    letter: &[u8],
    address: &[u8],
) -> Result<(), Trouble> {
    let written = [letter, address, b"\0"].into_iter().try_for_each(|part| writer.write_all(part));
    written.map_err(|_| Trouble::with("trouble writing to", &kind.name(message)))
}

fn flushed(writer: BufWriter<File>, kind: Kind, message: MessageNumber) -> Result<File, Trouble> {
    writer.into_inner().map_err(|_| Trouble::with("trouble writing to", &kind.name(message)))
}

/// A batch that the disk has, as far as it has.
#[derive(Default)]
pub struct Synced {
    /// Messages whose files are safe.
    pub safe: Vec<Prepared>,
    /// Files and directories that may not be on disk, by name.
    pub unsafe_names: BTreeSet<String>,
}

/// Puts the files of a batch and the names that lead to them on disk, waiting once for all of them.
///
/// Files and names in any order: until todo is removed a crash makes all of it start over.
pub fn sync(batch: Vec<Prepared>) -> Synced {
    let unsafe_names = sync_together(&batch);
    let is_safe = |prepared: &Prepared| !prepared.names().any(|name| unsafe_names.contains(&name));
    Synced { safe: batch.into_iter().filter(is_safe).collect(), unsafe_names }
}

/// Syncs the files and their directories; the names of those that may not be on disk.
fn sync_together(batch: &[Prepared]) -> BTreeSet<String> {
    let mut failed = BTreeSet::new();
    let mut directories = Vec::new();
    for name in batch.iter().flat_map(Prepared::directories).collect::<BTreeSet<String>>() {
        match file::open_directory(Path::new(&name)) {
            Ok(directory) => directories.push((name, directory)),
            Err(_) => drop(failed.insert(name)),
        }
    }
    let directories = directories.iter().map(|(name, directory)| (name.clone(), directory));
    let (names, files): (Vec<String>, Vec<&File>) =
        batch.iter().flat_map(Prepared::named_files).chain(directories).unzip();
    let results = file::sync_together(&files);
    failed.extend(names.into_iter().zip(results).filter(|(_, result)| result.is_err()).map(|(name, _)| name));
    failed
}

impl Prepared {
    fn names(&self) -> impl Iterator<Item = String> {
        self.named_files().map(|(name, _)| name).chain(self.directories())
    }

    fn named_files(&self) -> impl Iterator<Item = (String, &File)> {
        self.files.iter().map(|(kind, file)| (kind.name(self.message), file))
    }

    fn directories(&self) -> impl Iterator<Item = String> {
        let split = |kind: &Kind| format!("{}/{}", kind.directory(), self.message.remainder());
        self.files.iter().map(move |(kind, _)| split(kind))
    }
}
