//! Disks for tests: small ones, full ones, and files that are in the way.

use harness::{is_root, scratch, skipped};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Something mounted here, unmounted when dropped.
pub struct Mount(PathBuf);

impl Mount {
    /// Mounts as `mount WORDS PLACE` does; not everybody may.
    pub fn new(words: &[&str], place: PathBuf) -> Option<Mount> {
        if !is_root() {
            skipped("mounting needs root");
            return None;
        }
        let mounted = Command::new("mount").args(words).arg(&place).status();
        if !mounted.is_ok_and(|status| status.success()) {
            skipped("nothing can be mounted here");
            return None;
        }
        Some(Mount(place))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A disk with an empty log directory on it, which can be filled to its last byte.
pub struct FullDisk {
    mount: Mount,
    /// Holds the place of the mount; dropped after it.
    scratch: tempfile::TempDir,
}

impl FullDisk {
    /// A disk of 128 KiB, all of it free, if this process may mount one.
    pub fn new() -> Option<FullDisk> {
        FullDisk::of("128k")
    }

    /// A disk of this size, as tmpfs(5) has it.
    pub fn of(size: &str) -> Option<FullDisk> {
        let scratch = scratch();
        let place = scratch.path().join("disk");
        fs::create_dir(&place).expect("a directory");
        let options = format!("size={size},nr_inodes=1000");
        let mount = Mount::new(&["-t", "tmpfs", "-o", &options, "small"], place)?;
        let disk = FullDisk { mount, scratch };
        fs::create_dir(disk.logs()).expect("a directory");
        Some(disk)
    }

    /// Where it is mounted.
    pub fn place(&self) -> &Path {
        &self.mount.0
    }

    /// The directory for logs.
    pub fn logs(&self) -> PathBuf {
        self.mount.0.join("log")
    }

    /// Leaves no space.
    pub fn fill(&self) {
        let mut filler = fs::File::create(self.filler()).expect("a file");
        let zeros = vec![0; 1 << 16];
        while filler.write_all(&zeros).is_ok() {}
    }

    /// Leaves no room for one more file, though for bytes.
    pub fn fill_with_files(&self) {
        fs::create_dir(self.files()).expect("a directory");
        let mut numbers = 0_u32..;
        while numbers
            .next()
            .is_some_and(|number| fs::write(self.files().join(number.to_string()), "").is_ok())
        {}
    }

    /// Makes room for files.
    pub fn make_room(&self) {
        fs::remove_dir_all(self.files()).expect("the files");
    }

    /// Gives the space back.
    pub fn make_space(&self) {
        fs::remove_file(self.filler()).expect("the filler");
    }

    /// Makes the disk a large one.
    pub fn make_larger(&self) {
        let mut mount = Command::new("mount");
        let status = mount.args(["-o", "remount,size=100m"]).arg(&self.mount.0).status();
        assert!(status.is_ok_and(|status| status.success()), "the disk stays small");
    }

    fn files(&self) -> PathBuf {
        self.mount.0.join("files")
    }

    fn filler(&self) -> PathBuf {
        self.mount.0.join("filler")
    }

    /// A file outside the disk for what a logger says on standard error.
    pub fn error_file(&self) -> PathBuf {
        self.scratch.path().join("err")
    }

    /// What it said.
    pub fn errors(&self) -> String {
        fs::read_to_string(self.error_file()).expect("standard error")
    }
}
