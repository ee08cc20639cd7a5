//! The log directory, which is the working directory: files made, filled, put on disk and removed by the rules of
//! [`super::rotation`].
//!
//! What a crash leaves: the file being written, mode 0644, with all or part of what was written to it. A file of mode
//! 0444 is on disk with its name.

use super::rotation::{self, LogName};
use crate::age::Age;
use crate::backlog::Store;
use crate::extent::Extent;
use crate::names::{self, Keep};
use crate::patience::{Patience, Trouble};
use crate::processor;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};
use unix::failure::is_absent;
use unix::file;
use unix::process::Ended;
use unix::stamp::Stamp;

/// How much is kept, and where files are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Where a file ends.
    pub extent: Extent,
    /// Until when a file is written, if not to its end.
    pub period: Option<Duration>,
    /// How much is kept.
    pub keep: Keep,
}

/// The files of one log.
pub struct Log {
    limits: Limits,
    current: Option<Current>,
    /// The newest name that this log tried to use; the next one comes after it.
    newest: Option<LogName>,
    /// Whether there was a file already.
    is_started: bool,
    processor: Option<Processor>,
    unprocessed: Option<Unprocessed>,
}

/// A command of the shell through which complete files go.
pub struct Processor {
    /// The command.
    pub command: Vec<u8>,
    /// How long the log waits for it, all its tries for one file together; without a limit, for ever.
    pub limit: Option<Duration>,
}

/// The complete file that waits for the processor.
#[derive(Clone, Copy)]
struct Unprocessed {
    name: LogName,
    deadline: Option<Instant>,
}

/// The file being written. It is not complete: a complete one is closed at once.
struct Current {
    name: LogName,
    file: File,
    written: u64,
    age: Age,
    ends_early: bool,
}

impl Log {
    /// A log in the working directory. Its first file is made by the first [`settle`](Store::settle).
    pub fn new(limits: Limits, processor: Option<Processor>) -> Log {
        Log { limits, current: None, newest: None, is_started: false, processor, unprocessed: None }
    }

    /// Closes the file being written, if there is one: contents on disk, mode 0444, name on disk.
    ///
    /// After a failed fsync the kernel takes the data for written, and another fsync would say so (R2). The file
    /// then keeps mode 0644, so that 0444 goes on meaning "on disk"; the log goes on in the next one.
    pub fn finish(&mut self, patience: &mut Patience<'_>) {
        let Some(Current { name, file, .. }) = self.current.take() else { return };
        let object = name.encode().into_bytes();
        if let Err(error) = file.sync_all() {
            let trouble = Trouble::new("unable to sync to", object, error);
            return patience.warn(&trouble, ", part of it may be lost");
        }
        // Only a courtesy: nobody should write to it any more.
        let _ = file.set_permissions(Permissions::from_mode(0o444));
        if let Err(error) = file::sync_directory(Path::new(".")) {
            let trouble = Trouble::new("unable to sync directory with", object, error);
            patience.warn(&trouble, ", a crash may take the name");
        }
        let deadline = |processor: &Processor| processor::deadline(processor.limit);
        let unprocessed = |processor| Unprocessed { name, deadline: deadline(processor) };
        self.unprocessed = self.processor.as_ref().map(unprocessed);
    }

    /// Ends the file being written before its time, unless it is empty, with the next [`settle`](Store::settle).
    pub fn end_file(&mut self) {
        if let Some(current) = &mut self.current {
            current.ends_early = current.written > 0;
        }
    }

    /// How long until the file being written ends for its age.
    pub fn due_in(&self) -> Option<Duration> {
        self.current.as_ref().and_then(|current| current.age.rest())
    }

    /// Puts what the processor makes of the last complete file in its place. Until then, and after a crash, the name
    /// has what was logged, and so it has for ever when the processor's time is over.
    fn process(&mut self, patience: &mut Patience<'_>) -> Result<(), Trouble> {
        let (Some(processor), Some(unprocessed)) = (&self.processor, self.unprocessed) else {
            return Ok(());
        };
        if let Err(trouble) = unprocessed.process(&processor.command, patience) {
            // It may hold the last of the space.
            let _ = fs::remove_file(PROCESSED);
            if !processor::is_over(unprocessed.deadline) {
                return Err(trouble);
            }
            patience.warn(&trouble, ", keeping it as it was logged");
        }
        self.unprocessed = None;
        Ok(())
    }

    /// The file being written, or a new one.
    fn current(&mut self, patience: &mut Patience<'_>) -> Result<&mut Current, Trouble> {
        if self.current.is_none() {
            self.current = Some(self.create(patience)?);
            self.is_started = true;
        }
        Ok(self.current.as_mut().expect("there is a file since the line before"))
    }

    /// Makes room for one more file and creates it. A name that is taken is not tried again.
    fn create(&mut self, patience: &mut Patience<'_>) -> Result<Current, Trouble> {
        let mut names = names::list(Path::new("."))
            .map_err(|error| Trouble::new("unable to read directory", "", error))?;
        if !self.is_started {
            remove_empty_newest(&mut names, patience);
        }
        let newest = names.iter().filter_map(|name| LogName::decode(name)).max();
        let Limits { extent, keep, period } = self.limits;
        for name in keep.surplus(rotation::logs(names), extent.size, names::size) {
            remove(name, patience);
        }
        let name = LogName::next(newest.max(self.newest), Stamp::now().seconds);
        self.newest = Some(name);
        let object = name.encode();
        match file::create_new(Path::new(&object), 0o644) {
            Ok(file) => Ok(Current { name, file, written: 0, age: Age::new(period), ends_early: false }),
            Err(error) => Err(Trouble::new("unable to create", object, error)),
        }
    }
}

impl Unprocessed {
    fn process(self, command: &[u8], patience: &mut Patience<'_>) -> Result<(), Trouble> {
        let name = self.name.encode();
        let trouble = |action, error| Trouble::new(action, name.as_bytes(), error);
        let log = match File::open(&name) {
            Ok(log) => log,
            // Somebody has removed it.
            Err(error) if is_absent(&error) => return Ok(()),
            Err(error) => return Err(trouble("unable to read", error)),
        };
        let processed = file::create_or_truncate(Path::new(PROCESSED), 0o644)
            .map_err(|error| trouble("unable to create output for", error))?;
        let descriptors = [(log.as_fd(), 0), (processed.as_fd(), 1)];
        let ended = processor::run(command, &descriptors, self.deadline, patience)
            .map_err(|error| trouble("unable to run processor for", error))?;
        if ended != Ended::Exited(0) {
            let is_over = processor::is_over(self.deadline);
            let action = if is_over { "processor out of time for" } else { "processor failed for" };
            let error = processor::obstacle(&processed);
            return Err(Trouble { action, object: name.into_bytes(), error });
        }
        processed
            .set_permissions(Permissions::from_mode(0o444))
            .and_then(|()| processed.sync_all())
            .and_then(|()| fs::rename(PROCESSED, &name))
            .and_then(|()| file::sync_directory(Path::new(".")))
            .map_err(|error| trouble("unable to replace", error))
    }
}

impl Store for Log {
    /// A next file is made only when there is a byte for it.
    fn write(&mut self, bytes: &[u8], patience: &mut Patience<'_>) -> Result<usize, Trouble> {
        let extent = self.limits.extent;
        self.settle(patience)?;
        let current = self.current(patience)?;
        let part = extent.part(current.written, bytes);
        let length = current.write(bytes.get(..part.length).unwrap_or(bytes))?;
        if part.ends_file && length == part.length {
            self.finish(patience);
        }
        Ok(length)
    }

    /// Makes the first file, before there is anything to write to it; ends a file for its age; processes it.
    fn settle(&mut self, patience: &mut Patience<'_>) -> Result<(), Trouble> {
        // The complete file before the one that ends now.
        self.process(patience)?;
        if self.current.as_ref().is_some_and(|current| current.ends_early || current.age.is_over()) {
            self.finish(patience);
            self.process(patience)?;
        }
        if self.is_started { Ok(()) } else { self.current(patience).map(|_| ()) }
    }

    fn write_at_last(&mut self, bytes: &[u8], patience: &mut Patience<'_>) -> Option<usize> {
        self.current(patience).ok()?.write(bytes).ok()
    }
}

impl Current {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Trouble> {
        let error = match self.file.write(bytes) {
            Ok(0) => ErrorKind::WriteZero.into(),
            Ok(length) => {
                self.written = self.written.saturating_add(length as u64);
                self.age.begin();
                return Ok(length);
            }
            Err(error) => error,
        };
        Err(Trouble::new("unable to write to", self.name.encode(), error))
    }
}

/// Takes away the newest file if nothing was ever written to it. A logger that is started again and again with no
/// input leaves one empty file, and not one empty file each time in the place of a full one.
fn remove_empty_newest(names: &mut Vec<Vec<u8>>, patience: &mut Patience<'_>) {
    let newest = names.iter().enumerate().max_by_key(|(_, name)| LogName::decode(name)).map(|(at, _)| at);
    let Some(newest) = newest.and_then(|at| names.get(at)).filter(|name| LogName::decode(name).is_some())
    else {
        return;
    };
    let metadata = fs::symlink_metadata(Path::new(OsStr::from_bytes(newest)));
    if metadata.is_ok_and(|metadata| metadata.is_file() && metadata.len() == 0) {
        let newest = newest.clone();
        names.retain(|name| *name != newest);
        remove(newest, patience);
    }
}

/// A file that cannot be removed stays and is not in the way of the next one.
fn remove(name: Vec<u8>, patience: &mut Patience<'_>) {
    match fs::remove_file(Path::new(OsStr::from_bytes(&name))) {
        Err(error) if !is_absent(&error) => {
            patience.warn(&Trouble::new("unable to remove", name, error), "");
        }
        _ => {}
    }
}

/// What the processor makes, until it is in the place of what it was made of.
const PROCESSED: &str = "processed";
