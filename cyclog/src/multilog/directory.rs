//! One log directory: its files made, filled, put on disk, processed and removed.
//!
//! What a crash leaves, and what the next start does with it:
//!
//! | files | the crash came | next start |
//! |---|---|---|
//! | `current`, mode 0744 | never: the log was closed | goes on in it |
//! | `current`, mode 0644 | while it was written | `current` becomes `@label.u` |
//! | `previous` | before it was processed or renamed | `previous` becomes `@label.u` |
//! | `processed`, mode 0744 | after it was complete, on disk | `processed` becomes `@label.s`, `previous` goes |
//! | `processed`, mode 0644 | while it was written | it goes, `previous` becomes `@label.u` |
//! | a second name `@label` for one of them | before the old name was removed | the old name goes |

use super::rotation;
use super::script::Settings;
use crate::age::Age;
use crate::backlog::Store;
use crate::names;
use crate::patience::{Patience, Trouble};
use crate::processor;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, Instant};
use unix::directory::{self, WorkingDirectory};
use unix::failure::{Failure, is_absent};
use unix::process::Ended;
use unix::stamp::Stamp;
use unix::{file, lock};

/// A log directory that this process has locked.
pub struct LogDirectory {
    settings: Settings,
    place: WorkingDirectory,
    /// Keeps the lock.
    _lock: File,
    /// The file named `current`, unless it has to be made.
    current: Option<File>,
    /// Bytes in it.
    written: u64,
    age: Age,
    /// Whether it ends here.
    is_complete: bool,
    /// Whether an fsync of it failed. Another one would succeed and mean nothing (R2).
    is_doubtful: bool,
    /// What has to be done with the file named `previous`, if there is one.
    previous: Option<Previous>,
    /// Until when the processor may try to do it.
    deadline: Option<Instant>,
}

/// A full file that does not have its final name yet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Previous {
    /// It is on disk.
    OnDisk,
    /// Nobody knows whether it is on disk.
    Doubtful,
    /// `processed` is on disk in its place, and `newstate` in place of `state`.
    Processed,
    /// The time of its processor is over.
    Unprocessed,
}

impl LogDirectory {
    /// Makes the directory if it is missing, locks it, and finishes what a crash left.
    pub fn open(
        settings: Settings,
        start: &WorkingDirectory,
        patience: &mut Patience<'_>,
    ) -> Result<LogDirectory, Failure> {
        let name = settings.directory.clone();
        let failure = |action: &str, error: &io::Error| {
            Failure::temporary([action.as_bytes(), b" directory ", &name].concat()).because(error)
        };
        let path = Path::new(OsStr::from_bytes(&name));
        // That it cannot be made is seen when it is opened.
        let _ = fs::DirBuilder::new().mode(0o700).create(path);
        directory::enter(path).map_err(|error| failure("unable to open", &error))?;
        let place = WorkingDirectory::current().map_err(|error| failure("unable to open", &error))?;
        let lock = lock::try_open(Path::new("lock")).map_err(|error| failure("unable to lock", &error))?;
        let age = Age::new(settings.period);
        let mut log = LogDirectory {
            settings,
            place,
            _lock: lock,
            current: None,
            written: 0,
            age,
            is_complete: false,
            is_doubtful: false,
            previous: None,
            deadline: None,
        };
        while let Err(trouble) = log.recover(patience) {
            patience.pause(trouble).map_err(|trouble| trouble.into_failure(0))?;
        }
        start
            .enter()
            .map_err(|error| Failure::temporary("unable to switch to starting directory").because(&error))?;
        Ok(log)
    }

    /// Finishes what the last run left; see the table above. Can be called again after it failed.
    fn recover(&mut self, patience: &mut Patience<'_>) -> Result<(), Trouble> {
        if self.mode("current")?.is_some_and(is_closed) {
            let file = fs::OpenOptions::new().append(true).open("current");
            let file = file.map_err(|error| self.trouble("unable to append to", "current", error))?;
            self.set_mode("current", 0o644)?;
            let size =
                file.metadata().map_err(|error| self.trouble("unable to stat", "current", error))?.len();
            self.written = size;
            if size > 0 {
                self.age.begin();
            }
            self.current = Some(file);
            return Ok(());
        }
        self.remove("state")?;
        self.remove("newstate")?;
        match self.mode("processed")? {
            Some(mode) if is_closed(mode) => {
                self.remove("previous")?;
                self.archive("processed", "s", patience)?;
            }
            _ => {
                self.remove("processed")?;
                self.archive("previous", "u", patience)?;
            }
        }
        self.archive("current", "u", patience)?;
        self.create_state()?;
        self.create_current()?;
        self.sync_names()
    }

    /// Ends `current` before its time, unless it is empty.
    pub fn end_current(&mut self) {
        self.is_complete |= self.written > 0;
    }

    /// How long until `current` ends for its age.
    pub fn due_in(&self) -> Option<Duration> {
        self.age.rest()
    }

    /// Marks `current` as complete up to here, for the next start to go on in it.
    ///
    /// A log that could not finish `previous` stays as a crash would leave it, so that the next start does.
    pub fn close(&mut self, patience: &mut Patience<'_>) {
        let Some(current) = self.current.take() else { return };
        let synced = current.sync_all();
        if self.previous.is_some() || self.is_doubtful {
            return;
        }
        let closed = synced.and_then(|()| current.set_permissions(Permissions::from_mode(0o744)));
        if let Err(error) = closed {
            let trouble = Trouble::new("unable to write", self.object("current to disk"), error);
            patience.warn(&trouble, ", part of it may be lost");
        }
    }

    /// `current` on disk and called `previous`.
    fn retire_current(&mut self, patience: &mut Patience<'_>) -> Result<(), Trouble> {
        if let Some(Err(error)) = self.current.as_ref().map(File::sync_all) {
            self.is_doubtful = true;
            let trouble = Trouble::new("unable to write", self.object("current to disk"), error);
            patience.warn(&trouble, ", part of it may be lost");
        }
        fs::rename("current", "previous").map_err(|error| {
            let action = "unable to rename current to previous in directory";
            Trouble::new(action, self.settings.directory.as_slice(), error)
        })?;
        self.previous = Some(if self.is_doubtful { Previous::Doubtful } else { Previous::OnDisk });
        self.deadline = processor::deadline(self.settings.processor_limit);
        self.current = None;
        self.is_complete = false;
        self.is_doubtful = false;
        Ok(())
    }

    fn create_current(&mut self) -> Result<(), Trouble> {
        let created = file::create_new(Path::new("current"), 0o644);
        self.current = Some(created.map_err(|error| self.trouble("unable to create", "current", error))?);
        self.written = 0;
        self.age = Age::new(self.settings.period);
        Ok(())
    }

    /// Gives the full file its final name, after the processor if there is one.
    fn finish_previous(&mut self, patience: &mut Patience<'_>) -> Result<(), Trouble> {
        if self.previous == Some(Previous::OnDisk) {
            self.set_mode("previous", 0o744)?;
            if let Some(command) = self.settings.processor.clone() {
                self.previous = Some(match self.process(&command, patience) {
                    Ok(()) => Previous::Processed,
                    Err(trouble) if processor::is_over(self.deadline) => {
                        patience.warn(&trouble, ", keeping it unprocessed");
                        Previous::Unprocessed
                    }
                    Err(trouble) => return Err(trouble),
                });
            }
        }
        match self.previous {
            Some(Previous::OnDisk) => self.archive("previous", "s", patience)?,
            Some(Previous::Doubtful) => self.archive("previous", "u", patience)?,
            Some(Previous::Unprocessed) => {
                self.remove("processed")?;
                self.remove("newstate")?;
                self.archive("previous", "u", patience)?;
            }
            Some(Previous::Processed) => {
                self.remove("previous")?;
                self.rename_newstate()?;
                self.archive("processed", "s", patience)?;
            }
            None => {}
        }
        self.previous = None;
        self.sync_names()
    }

    /// Makes `processed` and `newstate` of `previous` and `state`, on disk.
    fn process(&self, command: &[u8], patience: &mut Patience<'_>) -> Result<(), Trouble> {
        let create = |name: &'static str| {
            file::create_or_truncate(Path::new(name), 0o644)
                .map_err(|error| self.trouble("unable to create", name, error))
        };
        let read = |name: &'static str| {
            File::open(name).map_err(|error| self.trouble("unable to read", name, error))
        };
        self.create_state()?;
        let (previous, state) = (read("previous")?, read("state")?);
        // A processor that failed before may have left it complete.
        self.remove("processed")?;
        let (processed, newstate) = (create("processed")?, create("newstate")?);
        let descriptors =
            [(previous.as_fd(), 0), (processed.as_fd(), 1), (state.as_fd(), 4), (newstate.as_fd(), 5)];
        let ended = processor::run(command, &descriptors, self.deadline, patience).map_err(|error| {
            Trouble::new("unable to run processor in", self.settings.directory.as_slice(), error)
        })?;
        let action = match ended {
            Ended::Exited(0) => {
                let synced = newstate.sync_all();
                synced.map_err(|error| self.trouble("unable to write", "newstate to disk", error))?;
                let synced = processed.sync_all();
                synced.map_err(|error| self.trouble("unable to write", "processed to disk", error))?;
                return self.set_mode("processed", 0o744);
            }
            _ if processor::is_over(self.deadline) => "processor out of time in",
            Ended::Exited(_) => "processor failed in",
            Ended::Killed { .. } => "processor crashed in",
        };
        let error = processor::obstacle(&processed);
        // It may hold the last of the space.
        let _ = self.remove("processed");
        Err(Trouble { action, object: self.settings.directory.clone(), error })
    }

    /// Gives a file, if it is there, a name with the present label, and makes room for it.
    fn archive(&self, name: &'static str, code: &str, patience: &mut Patience<'_>) -> Result<(), Trouble> {
        let links = match fs::symlink_metadata(name) {
            Ok(metadata) => metadata.nlink(),
            Err(error) if is_absent(&error) => return Ok(()),
            Err(error) => return Err(self.trouble("unable to stat", name, error)),
        };
        let unreadable = |error| Trouble::new("unable to read", self.settings.directory.as_slice(), error);
        // A second name is the one that it got before a crash.
        if links == 1 {
            let names = names::list(Path::new(".")).map_err(unreadable)?;
            let label = rotation::next_label(&names, Stamp::now());
            let archived = [&label, b".".as_slice(), code.as_bytes()].concat();
            fs::hard_link(name, OsStr::from_bytes(&archived))
                .map_err(|error| self.trouble("unable to link to", &archived, error))?;
        }
        self.remove(name)?;
        let names = names::list(Path::new(".")).map_err(unreadable)?;
        let next = self.settings.extent.size;
        for name in self.settings.keep.surplus(rotation::finished(names), next, names::size) {
            // A file that cannot be removed stays and is in nobody's way.
            if let Err(trouble) = self.remove(OsStr::from_bytes(&name)) {
                patience.warn(&trouble, "");
            }
        }
        Ok(())
    }

    fn create_state(&self) -> Result<(), Trouble> {
        match file::create_new(Path::new("state"), 0o644) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                Err(self.trouble("unable to write to", "state", error))
            }
            _ => Ok(()),
        }
    }

    fn rename_newstate(&self) -> Result<(), Trouble> {
        match fs::rename("newstate", "state") {
            Err(error) if !is_absent(&error) => {
                let action = "unable to rename newstate to state in directory";
                Err(Trouble::new(action, self.settings.directory.as_slice(), error))
            }
            _ => Ok(()),
        }
    }

    fn remove(&self, name: impl AsRef<OsStr>) -> Result<(), Trouble> {
        match fs::remove_file(Path::new(name.as_ref())) {
            Err(error) if !is_absent(&error) => {
                Err(self.trouble("unable to remove", name.as_ref().as_bytes(), error))
            }
            _ => Ok(()),
        }
    }

    fn set_mode(&self, name: &'static str, mode: u32) -> Result<(), Trouble> {
        fs::set_permissions(name, Permissions::from_mode(mode))
            .map_err(|error| self.trouble("unable to set mode of", name, error))
    }

    /// The permission bits of a file, if it is there.
    fn mode(&self, name: &'static str) -> Result<Option<u32>, Trouble> {
        match fs::symlink_metadata(name) {
            Ok(metadata) => Ok(Some(metadata.permissions().mode())),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(self.trouble("unable to stat", name, error)),
        }
    }

    fn sync_names(&self) -> Result<(), Trouble> {
        file::sync_directory(Path::new(".")).map_err(|error| {
            Trouble::new("unable to sync directory", self.settings.directory.as_slice(), error)
        })
    }

    fn enter(&self) -> Result<(), Trouble> {
        self.place
            .enter()
            .map_err(|error| Trouble::new("unable to switch to", self.settings.directory.as_slice(), error))
    }

    fn trouble(&self, action: &'static str, name: impl AsRef<[u8]>, error: io::Error) -> Trouble {
        Trouble::new(action, self.object(name), error)
    }

    /// The directory's name, a slash and what follows.
    fn object(&self, name: impl AsRef<[u8]>) -> Vec<u8> {
        [&self.settings.directory, b"/".as_slice(), name.as_ref()].concat()
    }
}

impl Store for LogDirectory {
    fn write(&mut self, bytes: &[u8], patience: &mut Patience<'_>) -> Result<usize, Trouble> {
        let extent = self.settings.extent;
        // A file that an earlier run left larger than this one would.
        self.is_complete |= self.written >= extent.size;
        self.settle(patience)?;
        let part = extent.part(self.written, bytes);
        let length = self.append(bytes.get(..part.length).unwrap_or(bytes))?;
        self.is_complete = part.ends_file && length == part.length;
        Ok(length)
    }

    /// Ends a complete file, makes the next one, and gives the complete one its final name.
    fn settle(&mut self, patience: &mut Patience<'_>) -> Result<(), Trouble> {
        self.is_complete |= self.age.is_over();
        if !self.is_complete && self.current.is_some() && self.previous.is_none() {
            return Ok(());
        }
        self.enter()?;
        if self.is_complete {
            self.retire_current(patience)?;
        }
        if self.current.is_none() {
            self.create_current()?;
        }
        self.finish_previous(patience)
    }

    fn write_at_last(&mut self, bytes: &[u8], _: &mut Patience<'_>) -> Option<usize> {
        self.append(bytes).ok()
    }
}

impl LogDirectory {
    fn append(&mut self, bytes: &[u8]) -> Result<usize, Trouble> {
        let written = match &mut self.current {
            Some(file) => file.write(bytes),
            None => Err(ErrorKind::NotFound.into()),
        };
        match written {
            Ok(length @ 1..) => {
                self.written = self.written.saturating_add(length as u64);
                self.age.begin();
                Ok(length)
            }
            Ok(0) => Err(self.trouble("unable to write to", "current", ErrorKind::WriteZero.into())),
            Err(error) => Err(self.trouble("unable to write to", "current", error)),
        }
    }
}

/// Whether a file with this mode was complete when it was left.
fn is_closed(mode: u32) -> bool {
    mode & 0o100 != 0
}
