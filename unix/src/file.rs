//! Files: the suite's ways of opening one, and of putting one on disk so that a power cut keeps it.

use crate::process;
use nix::errno::Errno;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Opens for reading, never waiting for the other side of a FIFO.
pub fn open_read(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path)
}

/// Opens for reading a file that must not be a symbolic link.
pub fn open_read_no_follow(path: &Path) -> io::Result<File> {
    let flags = nix::libc::O_NONBLOCK | nix::libc::O_NOFOLLOW;
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// Opens for writing at the end, created with mode 0600 if absent.
pub fn open_append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(nix::libc::O_NONBLOCK).open(path)
}

/// Opens for reading, and for writing at the end, created with mode 0600 if absent.
pub fn open_read_append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600).custom_flags(nix::libc::O_NONBLOCK);
    options.open(path)
}

/// Opens what is there for writing, never creating it and never waiting for the other side of a FIFO.
pub fn open_write(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).custom_flags(nix::libc::O_NONBLOCK).open(path)
}

/// Creates a file that must not be there yet, for writing.
pub fn create_new(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

/// Creates a file or empties the one that is there, for writing.
pub fn create_or_truncate(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)
}

/// A file to write to and read from that has no name any more, for what is too large for memory. It goes when it
/// is closed.
pub fn create_unnamed(directory: &Path) -> io::Result<File> {
    let (pid, stamp) = (crate::process::own_pid(), crate::stamp::Stamp::now());
    let mut last = io::ErrorKind::AlreadyExists.into();
    for attempt in 0..9 {
        let name = format!("unnamed.{pid}.{}.{}.{attempt}", stamp.seconds, stamp.nanoseconds);
        let path = directory.join(name);
        // O_EXCL: whatever somebody else has put there under this name, link or file, is left alone.
        match OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => return fs::remove_file(&path).map(|()| file),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// Reads a whole file; `None` if there is none. Every other trouble is an error.
pub fn read_if_present(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut file = match open_read(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Removes a file; that there is none is as good.
pub fn remove_if_present(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Gives a file another name, unless there is a file of that name: unlike `rename(2)` it replaces none.
///
/// # Errors
/// EEXIST if there is one. On a file system that cannot do it in one step a crash may leave both names.
pub fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
    match renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
        Err(Errno::EINVAL | Errno::ENOSYS) => {
            fs::hard_link(from, to)?;
            fs::remove_file(from)
        }
        result => Ok(result?),
    }
}

/// Files that are synced in turn; more of them are shared out among as many threads.
const IN_TURN: usize = 8;
/// A thread that only waits needs next to nothing.
const STACK: usize = 64 * 1024;

/// Puts files (and directories: the names in them) on disk and waits for all of them; the results in the same order.
///
/// All of them are begun before the first is waited for. So the journal has them in the commit that this first one waits for, and
/// the others find that done; each of them still asks the disk to empty its cache, which many can ask at the same time. For a few
/// files threads would cost more than they save (measured on ext4: two thirds as many messages a second, at half as much processor time again).
/// They have ended when this returns; where none can be had, files are synced in turn.
pub fn sync_together(files: &[&File]) -> Vec<io::Result<()>> {
    files.iter().for_each(|file| begin_writing(file));
    let Some((first, others)) = files.split_first() else { return Vec::new() };
    let first = first.sync_all();
    let others = if others.len() < IN_TURN { sync_in_turn(others) } else { sync_in_threads(others) };
    std::iter::once(first).chain(others).collect()
}

fn sync_in_turn(files: &[&File]) -> Vec<io::Result<()>> {
    files.iter().map(|file| file.sync_all()).collect()
}

fn sync_in_threads(files: &[&File]) -> Vec<io::Result<()>> {
    process::keep_one_arena();
    // A thread that died has synced nothing that counts.
    let unsynced = |share: &[&File]| share.iter().map(|_| Err(io::ErrorKind::Other.into())).collect();
    std::thread::scope(|scope| {
        let begun: Vec<_> = files
            .chunks(files.len().div_ceil(IN_TURN))
            .map(|share| {
                let thread = std::thread::Builder::new().stack_size(STACK);
                (share, thread.spawn_scoped(scope, move || sync_in_turn(share)))
            })
            .collect();
        let results = begun.into_iter().flat_map(|(share, thread)| match thread {
            Ok(thread) => thread.join().unwrap_or_else(|_| unsynced(share)),
            Err(_) => sync_in_turn(share),
        });
        results.collect()
    })
}

/// Lets the kernel begin to write what was put into a file, and does not wait. It promises nothing: whether it worked is what a sync says.
pub fn begin_writing(file: &File) {
    // SAFETY: the descriptor is open as long as the borrow lives, and the call touches no memory of ours; 0 and 0 are the whole file.
    unsafe { nix::libc::sync_file_range(file.as_raw_fd(), 0, 0, nix::libc::SYNC_FILE_RANGE_WRITE) };
}

/// Puts the entries of a directory on disk: names that were made, renamed or removed in it.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    open_directory(path)?.sync_all()
}

/// Opens a directory, to sync the names in it; an empty path is the working directory.
pub fn open_directory(path: &Path) -> io::Result<File> {
    File::open(if path.as_os_str().is_empty() { Path::new(".") } else { path })
}

/// Puts the name of an open file on disk: the entries of the directory that holds it.
///
/// A directory that may be written but not read cannot be synced by itself; then its whole file system is.
pub fn sync_name(file: &File, directory: &Path) -> io::Result<()> {
    match sync_directory(directory) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(nix::unistd::syncfs(file)?),
        result => result,
    }
}

/// Which step of putting a file in place of another failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Making the temporary file.
    Create,
    /// Writing it and putting it on disk.
    Write,
    /// Giving it the name.
    Move,
    /// Putting the name on disk. The new file has the name already.
    Sync,
}

/// Puts `bytes` in place of a file, so that after any crash the name has the old contents or the new ones.
///
/// The contents are written to `temporary`, which must be in the same directory. A temporary file that a
/// crash left behind is replaced; one of a failed attempt is removed.
pub fn replace(path: &Path, temporary: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    replace_by_steps(path, temporary, bytes, mode).map_err(|(_, error)| error)
}

/// The same, for programs that say which step failed.
pub fn replace_by_steps(
    path: &Path,
    temporary: &Path,
    bytes: &[u8],
    mode: u32,
) -> Result<(), (Step, io::Error)> {
    let replaced = write_aside(temporary, bytes, mode)
        .and_then(|()| fs::rename(temporary, path).map_err(|error| (Step::Move, error)));
    if replaced.is_err() {
        let _ = fs::remove_file(temporary);
    }
    replaced?;
    sync_directory(path.parent().unwrap_or(Path::new("."))).map_err(|error| (Step::Sync, error))
}

fn write_aside(temporary: &Path, bytes: &[u8], mode: u32) -> Result<(), (Step, io::Error)> {
    // What an earlier run left is removed, not written into: the name may be a link to something else.
    let created = remove_if_present(temporary).and_then(|()| create_new(temporary, mode));
    let mut file = created.map_err(|error| (Step::Create, error))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|error| (Step::Write, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_files_synced_together_each_has_its_own_result() {
        let directory = tempfile::tempdir().unwrap();
        let files: Vec<File> = (0..200)
            .map(|number: u32| create_new(&directory.path().join(number.to_string()), 0o600).unwrap())
            .collect();
        // A pipe cannot be synced.
        let (pipe, _writer) = crate::descriptor::pipe().unwrap();
        let pipe = File::from(pipe);
        let mut together: Vec<&File> = files.iter().collect();
        together.insert(70, &pipe);
        let failed: Vec<usize> = sync_together(&together)
            .iter()
            .enumerate()
            .filter(|(_, result)| result.is_err())
            .map(|(at, _)| at)
            .collect();
        assert_eq!(failed, [70]);
        assert!(sync_together(&[]).is_empty());
    }
}
