//! A service directory: the files in which supervise, svc, svstat and svok meet.
//!
//! |                     | daemontools 0.53        | daemontools 0.76              |
//! |---------------------|-------------------------|-------------------------------|
//! | what is run         | named on the command line | `run`                       |
//! | lock of supervise   | `lock`                  | `supervise/lock`              |
//! | commands from svc   | `svcontrol`             | `supervise/control`           |
//! | status for svstat   | `status`, 23 bytes      | `supervise/status`, 18 bytes  |
//! | supervise is alive if a reader has open | `svcontrol` | `supervise/ok`        |
//! | normally down       | byte 20 of the status   | a file `down`                 |
//!
//! Beyond daemontools there is the FIFO `supervise/event`. supervise opens it for writing, and closes it, each time
//! that the status has changed: those who have it open for reading see that a writer came and went. There may be
//! thousands of them, whom supervise need not know, and for whom it never waits.
//!
//! A supervise of the older form keeps both sets of files, so that the tools of either generation work on its
//! service; only the older ones, if it is told to, or if a subdirectory cannot be made.

use super::command::Command;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use unix::failure::{Failure, because};
use unix::{directory, fifo, file, lock};

/// Where the files lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// As in daemontools 0.53: in the service directory itself.
    Flat,
    /// As in daemontools 0.76: in its subdirectory `supervise`.
    Nested,
}

impl Layout {
    /// The layout of the working directory: the one that a running supervise uses, the older one if it uses both.
    /// If none runs, the one whose status was written last, or else whose files are there.
    pub fn of_working_directory() -> Layout {
        let exists = |name: &str| fs::symlink_metadata(name).is_ok();
        if has_reader(Layout::Flat.alive()) {
            Layout::Flat
        } else if has_reader(Layout::Nested.alive()) {
            Layout::Nested
        } else if let (Ok(flat), Ok(nested)) = (Layout::Flat.written(), Layout::Nested.written()) {
            // A supervise that uses both writes the older one last.
            if flat >= nested { Layout::Flat } else { Layout::Nested }
        } else if exists("supervise") || (exists("run") && !exists("status")) {
            Layout::Nested
        } else {
            Layout::Flat
        }
    }

    /// When the status was written.
    fn written(self) -> io::Result<SystemTime> {
        fs::metadata(self.status())?.modified()
    }

    /// The FIFO that takes commands.
    pub fn control(self) -> &'static Path {
        Path::new(match self {
            Layout::Flat => "svcontrol",
            Layout::Nested => "supervise/control",
        })
    }

    /// The FIFO that has a reader while supervise runs.
    pub fn alive(self) -> &'static Path {
        match self {
            Layout::Flat => self.control(),
            Layout::Nested => Path::new("supervise/ok"),
        }
    }

    /// The status file.
    pub fn status(self) -> &'static Path {
        Path::new(match self {
            Layout::Flat => "status",
            Layout::Nested => "supervise/status",
        })
    }

    fn new_status(self) -> &'static Path {
        Path::new(match self {
            Layout::Flat => "status.new",
            Layout::Nested => "supervise/status.new",
        })
    }

    fn lock(self) -> &'static Path {
        Path::new(match self {
            Layout::Flat => "lock",
            Layout::Nested => "supervise/lock",
        })
    }
}

/// In which everybody who waits for a change of the status sees a writer come and go.
const EVENT: &str = "supervise/event";

/// What to poll, to wait for a status of the service directory that comes after this call.
///
/// # Errors
/// There was no supervise of ours, or the directory is somebody else's.
pub fn open_event(directory: &[u8]) -> io::Result<File> {
    fifo::open_reader(&Path::new(OsStr::from_bytes(directory)).join(EVENT))
}

fn has_reader(path: &Path) -> bool {
    fifo::open_writer(path).is_ok()
}

/// Makes a service directory the working directory.
pub fn enter(name: &[u8]) -> Result<(), Failure> {
    let failure = |error| fatal(&[b"unable to chdir to ", name], &error);
    directory::enter(Path::new(OsStr::from_bytes(name))).map_err(failure)
}

/// Whether the working directory, called `name`, has a file `down`.
pub fn is_normally_down(name: &[u8]) -> Result<bool, Failure> {
    fs::metadata("down").map(|_| true).or_else(|error| {
        if unix::failure::is_absent(&error) {
            Ok(false)
        } else {
            Err(fatal(&[b"unable to stat ", name, b"/down"], &error))
        }
    })
}

/// The working directory, held by this supervise alone until it ends.
#[derive(Debug)]
pub struct ServiceDir {
    name: Vec<u8>,
    /// The files of one layout, or of both; those that svstat is to believe come last.
    held: Vec<Held>,
}

/// The files of one layout that stay open.
#[derive(Debug)]
struct Held {
    layout: Layout,
    /// The status that was written last.
    status: Vec<u8>,
    commands: File,
    /// The lock; a writer of our own, without which the commands would end; the reader of `supervise/ok`.
    others: Vec<File>,
}

impl ServiceDir {
    /// Takes the lock and opens the control FIFO. `name` is what messages call the directory.
    pub fn hold(layout: Layout, name: &[u8]) -> Result<ServiceDir, Failure> {
        let held = match layout {
            Layout::Flat => hold_flat()?,
            Layout::Nested => hold_nested(name)?,
        };
        Ok(ServiceDir { name: name.to_vec(), held: vec![held] })
    }

    /// Holds the files of the newer layout as well. Where there can be no subdirectory there are none.
    ///
    /// # Errors
    /// Somebody else supervises the directory in the newer form, or its files cannot be used.
    pub fn hold_newer_too(&mut self) -> Result<(), Failure> {
        make_subdirectory();
        if fs::metadata("supervise").is_ok() {
            self.held.insert(0, hold_nested(&self.name)?);
        }
        Ok(())
    }

    /// Says that supervise is there, after the first status was written: whoever finds `supervise/ok` with a reader
    /// finds the other files too. The flat layout has no such file.
    pub fn announce(&mut self) -> Result<(), Failure> {
        for held in self.held.iter_mut().filter(|held| held.layout == Layout::Nested) {
            let ok = make_and_read(Layout::Nested.alive());
            held.others.push(
                ok.map_err(|error| fifo_fatal(&[b"unable to read ", &self.name, b"/supervise/ok"], &error))?,
            );
        }
        Ok(())
    }

    /// The next command, if there is one, from whichever FIFO it came. A byte that is none is taken and passed over.
    pub fn next_command(&self) -> Option<Command> {
        self.held.iter().find_map(|held| {
            let mut byte = [0];
            match (&held.commands).read(&mut byte) {
                Ok(1) => Command::decode(byte[0]),
                _ => None,
            }
        })
    }

    /// What becomes readable when there is a command.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.held.iter().map(|held| held.commands.as_fd())
    }

    /// Puts a new status in place of the old one, as a whole, in each layout, and says that it has changed, if it
    /// has. It is not waited for to reach the disk: after a crash of the system it would be wrong anyway.
    ///
    /// # Errors
    /// What to warn of, with the files that svstat is to believe first; the old status stays.
    pub fn write_status(&mut self, encode: impl Fn(Layout) -> Vec<u8>) -> Result<(), Vec<u8>> {
        let (mut result, mut has_changed) = (Ok(()), false);
        for held in &mut self.held {
            let status = encode(held.layout);
            if status == held.status {
                continue;
            }
            match write_one_status(&self.name, held.layout, &status) {
                Ok(()) => (held.status, has_changed) = (status, true),
                trouble => result = trouble,
            }
        }
        if has_changed && self.held.iter().any(|held| held.layout == Layout::Nested) {
            // Mostly nobody waits, and there is nothing to open for writing.
            drop(fifo::open_writer(Path::new(EVENT)));
        }
        result
    }
}

fn write_one_status(name: &[u8], layout: Layout, bytes: &[u8]) -> Result<(), Vec<u8>> {
    let new = layout.new_status();
    let trouble = |what: &[u8], more: &[u8], error: &io::Error| {
        because([what, &shown(name, layout, new), more].concat(), error)
    };
    // Made anew each time: what a stranger may have put there is neither written to nor waited for.
    let _ = fs::remove_file(new);
    let mut file = file::create_new(new, 0o644).map_err(|error| trouble(b"unable to open ", b"", &error))?;
    file.write_all(bytes).map_err(|error| trouble(b"unable to write ", b"", &error))?;
    fs::rename(new, layout.status()).map_err(|error| trouble(b"unable to rename ", b" to status", &error))
}

/// How messages call a file of the directory `name`.
fn shown(name: &[u8], layout: Layout, file: &Path) -> Vec<u8> {
    let file = file.as_os_str().as_bytes();
    match layout {
        Layout::Flat => file.to_vec(),
        Layout::Nested => [name, b"/", file].concat(),
    }
}

fn hold_flat() -> Result<Held, Failure> {
    let layout = Layout::Flat;
    let lock = file::open_append(layout.lock()).map_err(|error| fatal(&[b"unable to open lock"], &error))?;
    lock::try_exclusive(&lock).map_err(|error| fatal(&[b"unable to acquire lock"], &error))?;
    let commands = make_and_read(layout.control())
        .map_err(|error| fifo_fatal(&[b"unable to open svcontrol"], &error))?;
    let writer = fifo::open_writer(layout.control())
        .map_err(|error| fifo_fatal(&[b"unable to open svcontrol for writing"], &error))?;
    Ok(Held { layout, status: Vec::new(), commands, others: vec![lock, writer] })
}

fn hold_nested(name: &[u8]) -> Result<Held, Failure> {
    let layout = Layout::Nested;
    make_subdirectory();
    let lock = lock::try_open(layout.lock())
        .map_err(|error| fatal(&[b"unable to acquire ", name, b"/supervise/lock"], &error))?;
    let commands = make_and_read(layout.control())
        .map_err(|error| fifo_fatal(&[b"unable to read ", name, b"/supervise/control"], &error))?;
    let writer = fifo::open_writer(layout.control())
        .map_err(|error| fifo_fatal(&[b"unable to write ", name, b"/supervise/control"], &error))?;
    // Without it, those who wait look again and again.
    let _ = fifo::make(Path::new(EVENT));
    Ok(Held { layout, status: Vec::new(), commands, others: vec![lock, writer] })
}

/// If this fails, the lock file cannot be opened, and that is reported. Debian lets `supervise` be a link into
/// a directory that is empty after each start of the system; its target is made then.
fn make_subdirectory() {
    let target = fs::read_link("supervise").unwrap_or_else(|_| PathBuf::from("supervise"));
    let _ = DirBuilder::new().mode(0o700).create(target);
}

/// If the FIFO cannot be made, it cannot be opened either, and that is the error.
fn make_and_read(path: &Path) -> io::Result<File> {
    let _ = fifo::make(path);
    fifo::open_reader(path)
}

fn fatal(text: &[&[u8]], error: &io::Error) -> Failure {
    Failure::temporary(text.concat()).because(error)
}

/// A file of another kind is never read: it would always be readable, and supervise would spin.
fn fifo_fatal(text: &[&[u8]], error: &io::Error) -> Failure {
    Failure::temporary([text.concat().as_slice(), b": ", fifo::describe(error).as_bytes()].concat())
}
