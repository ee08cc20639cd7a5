//! A file system in a file in memory: made, copied, mounted, switched off and mounted again.
//!
//! What its disk holds is the file; what the file system has not written to its disk yet is lost when it is switched off.
//! That is a power cut, but for the memory of the disk itself: see `reordering`.

use harness::{installed, is_root, skipped};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The kinds of file system that the laboratory knows, made and mounted as their authors would have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// data=ordered, with a block size as on a large disk.
    Ext4,
    /// The smallest that its authors support; the file is sparse.
    Xfs,
}

impl Kind {
    /// Those that can be made and mounted here. Others are said aloud.
    pub fn all() -> Vec<Kind> {
        if !is_root() {
            skipped("power and reordering: mounting a file system needs root");
            return Vec::new();
        }
        if let Err(why) = keep_mounts_apart() {
            skipped(&format!("power and reordering: no mounts of the test's own: {why}"));
            return Vec::new();
        }
        [Kind::Ext4, Kind::Xfs].into_iter().filter(|kind| kind.is_usable()).collect()
    }

    /// The words of its name in a report.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Ext4 => "ext4",
            Kind::Xfs => "xfs",
        }
    }

    fn is_usable(self) -> bool {
        let tools = [format!("mkfs.{}", self.name()), "xfs_io".to_owned()];
        if let Some(missing) = tools.iter().find(|tool| installed(tool).is_none()) {
            skipped(&format!("power and reordering on {}: {missing} is not installed", self.name()));
            return false;
        }
        let directory = harness::scratch_in_memory();
        let image = Image::new(self, directory.path());
        let usable = Mount::attempt(&image, directory.path());
        if let Err(why) = &usable {
            skipped(&format!("power and reordering on {}: {why}", self.name()));
        }
        usable.is_ok()
    }

    fn make(self, file: &Path) {
        let (megabytes, arguments): (u64, &[&str]) = match self {
            Kind::Ext4 => (32, &["-q", "-F", "-b", "4096"]),
            Kind::Xfs => (320, &["-q", "-f"]),
        };
        let sparse = std::fs::File::create(file).and_then(|file| file.set_len(megabytes << 20));
        sparse.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let program = installed(&format!("mkfs.{}", self.name())).expect("a program that makes file systems");
        run(Command::new(program).args(arguments).arg(file)).expect("a file system");
    }

    /// Copies of one xfs are mounted at the same time.
    fn mount_options(self) -> &'static str {
        match self {
            Kind::Ext4 => "loop",
            Kind::Xfs => "loop,nouuid",
        }
    }
}

/// A file that holds a file system.
pub struct Image {
    kind: Kind,
    file: PathBuf,
}

impl Image {
    /// A new, empty file system in a directory.
    pub fn new(kind: Kind, directory: &Path) -> Image {
        let file = directory.join("image");
        kind.make(&file);
        Image { kind, file }
    }

    /// A file that was written by other means.
    pub fn of(kind: Kind, file: PathBuf) -> Image {
        Image { kind, file }
    }

    /// Takes the contents of another image. Holes stay holes.
    pub fn become_copy_of(&self, other: &Image) {
        run(Command::new("/bin/cp").arg(&other.file).arg(&self.file)).expect("a copy");
    }

    /// The same in another file.
    ///
    /// If a process has made a copy of all mounts for itself meanwhile, the file system is still mounted there, switched off,
    /// and whoever mounted the same file again would get that one.
    pub fn moved_to(self, file: PathBuf) -> Image {
        let moved = Image { kind: self.kind, file };
        moved.become_copy_of(&self);
        let _ = std::fs::remove_file(&self.file);
        moved
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

/// How a file system goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Nothing but what was synced before is on the disk.
    All,
    /// The journal was written a moment before: names and sizes are there, and of the contents what a journal waits for.
    AllButJournal,
}

impl Loss {
    /// Both of them.
    pub const EACH: [Loss; 2] = [Loss::All, Loss::AllButJournal];

    /// The word for it in a report.
    pub fn name(self) -> &'static str {
        match self {
            Loss::All => "all lost",
            Loss::AllButJournal => "journal kept",
        }
    }
}

/// A mounted image. It is unmounted when dropped, whoever still uses it.
pub struct Mount {
    point: PathBuf,
}

impl Mount {
    /// Mounts it on `mount` in the directory, where the file system's owner replays its journal.
    pub fn new(image: &Image, directory: &Path) -> Mount {
        Mount::attempt(image, directory).expect("a mounted image")
    }

    fn attempt(image: &Image, directory: &Path) -> Result<Mount, String> {
        let point = directory.join("mount");
        std::fs::create_dir_all(&point).map_err(|error| error.to_string())?;
        let options = image.kind.mount_options();
        let mut mount = Command::new("/bin/mount");
        mount.args(["-t", image.kind.name(), "-o", options]).arg(&image.file).arg(&point);
        run(&mut mount)?;
        Ok(Mount { point })
    }

    /// Where it is mounted.
    pub fn point(&self) -> &Path {
        &self.point
    }

    /// Shows another directory in the place of one of its own.
    pub fn overlay(&self, shown: &Path, place: &Path) {
        run(Command::new("/bin/mount").arg("--bind").arg(shown).arg(place)).expect("a bind mount");
    }

    /// Puts everything on its disk.
    pub fn sync(&self) {
        run(Command::new("/bin/sync").arg("-f").arg(&self.point)).expect("a sync");
    }

    /// Switches it off: from now on it reads and writes nothing.
    pub fn switch_off(&self, loss: Loss) {
        let command = match loss {
            Loss::All => "shutdown",
            Loss::AllButJournal => "shutdown -f",
        };
        let program = installed("xfs_io").expect("xfs_io");
        run(Command::new(program).args(["-x", "-c", command]).arg(&self.point)).expect("a shutdown");
    }

    /// Unmounts it, as soon as the last user has gone.
    pub fn unmount(self) {
        let arguments = [OsStr::new("-R"), self.point.as_os_str()];
        let unmounted = harness::settles(|| run(Command::new("/bin/umount").args(arguments)).is_ok());
        assert!(unmounted, "{} stays in use", self.point.display());
        std::mem::forget(self);
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = run(Command::new("/bin/umount").args(["-R", "-l"]).arg(&self.point));
    }
}

/// Mounts of this thread, and of what it starts, are seen by nobody else, and go with the last process that sees them,
/// however that ends.
fn keep_mounts_apart() -> Result<(), String> {
    use nix::sched::{CloneFlags, unshare};
    unshare(CloneFlags::CLONE_NEWNS).map_err(|error| error.to_string())?;
    run(Command::new("/bin/mount").args(["--make-rprivate", "/"]))
}

/// Runs a program of the system; what it says if it fails.
fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

#[test]
fn a_file_system_that_is_switched_off_keeps_what_was_synced_and_loses_the_rest() {
    use std::io::Write;
    for kind in Kind::all() {
        let directory = harness::scratch_in_memory();
        let image = Image::new(kind, directory.path());
        let mount = Mount::new(&image, directory.path());
        let put = |name: &str| {
            let mut file = std::fs::File::create(mount.point().join(name)).expect("a file");
            file.write_all(name.as_bytes()).expect("its contents");
            file
        };
        put("synced").sync_all().expect("a disk");
        put("lost");
        mount.switch_off(Loss::All);
        std::fs::File::create(mount.point().join("late")).expect_err("a file system that is off");
        mount.unmount();
        let image = image.moved_to(directory.path().join("image after"));
        let mount = Mount::new(&image, directory.path());
        let read = |name: &str| std::fs::read_to_string(mount.point().join(name)).ok();
        assert_eq!(read("synced").as_deref(), Some("synced"), "{}", kind.name());
        assert_eq!(read("lost"), None, "{}", kind.name());
        mount.unmount();
    }
}
