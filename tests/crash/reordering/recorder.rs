//! A disk that writes down what it is told: a FUSE file below a loop device.
//!
//! The file is opened for direct access, so each write of the loop device arrives here at once, and its flush as fsync. One
//! thread serves all, so the order of the log is the order in which writes were completed: what stands before a flush
//! was completed before that began.

use crate::ledger::Number;
use fuser::{
    Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, INodeNo, LockOwner, MountOption,
    OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyOpen, ReplyWrite, Request, WriteFlags,
};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

/// What happened to the disk, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A write, of which the disk may have any part until it is flushed.
    Write {
        /// Where, in bytes.
        offset: u64,
        /// What.
        data: Vec<u8>,
    },
    /// Everything before it is on the disk.
    Flush,
    /// The laboratory was told that the queue has this message.
    Acknowledged(Number),
}

/// The events so far.
pub type Log = Arc<Mutex<Vec<Event>>>;

/// A recording disk, gone when dropped.
pub struct Recorder {
    path: PathBuf,
    log: Log,
    _session: fuser::BackgroundSession,
}

impl Recorder {
    /// A disk with the contents of a file, which it changes. It becomes the file `disk` in the directory.
    ///
    /// # Errors
    /// Why FUSE is not to be had.
    pub fn new(contents: &Path, directory: &Path) -> std::io::Result<Recorder> {
        let path = directory.join("disk");
        File::create(&path)?;
        let file = File::options().read(true).write(true).open(contents)?;
        let log = Log::default();
        let disk = Disk { length: file.metadata()?.len(), file, log: Arc::clone(&log) };
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("recorder".to_owned())];
        let session = fuser::spawn_mount(disk, &path, &config)?;
        Ok(Recorder { path, log, _session: session })
    }

    /// The file that is the disk.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Notes that the queue has said that it has a message.
    pub fn acknowledged(&self, number: Number) {
        self.log.lock().expect("the log").push(Event::Acknowledged(number));
    }

    /// What has happened so far.
    pub fn events(&self) -> Vec<Event> {
        self.log.lock().expect("the log").clone()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // The session's thread ends when nobody can reach the file any more.
        let _ = Command::new("/bin/umount").arg("-l").arg(&self.path).status();
    }
}

/// The root of this file system is the file itself.
struct Disk {
    length: u64,
    file: File,
    log: Log,
}

impl Filesystem for Disk {
    fn getattr(&self, _: &Request, _: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let attributes = FileAttr {
            ino: INodeNo::ROOT,
            size: self.length,
            blocks: self.length / 512,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: FileType::RegularFile,
            perm: 0o600,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        };
        reply.attr(&Duration::from_secs(3600), &attributes);
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let left = self.length.saturating_sub(offset).min(u64::from(size));
        let mut data = vec![0; usize::try_from(left).expect("a small read")];
        match self.file.read_exact_at(&mut data, offset) {
            Ok(()) => reply.data(&data),
            Err(_) => reply.error(Errno::EIO),
        }
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        self.log.lock().expect("the log").push(Event::Write { offset, data: data.to_vec() });
        match self.file.write_all_at(data, offset) {
            Ok(()) => reply.written(u32::try_from(data.len()).expect("a small write")),
            Err(_) => reply.error(Errno::EIO),
        }
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.log.lock().expect("the log").push(Event::Flush);
        reply.ok();
    }

    /// Each close(2) of the file, which is not a flush of the disk.
    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }
}
