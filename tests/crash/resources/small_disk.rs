//! A small disk under queue and mailboxes, on which just so much is left.

use harness::{Instance, is_root, owner_uid, skipped};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What there is too little of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// Pages of 4096 bytes.
    Space,
    /// Inodes; on this disk each name costs one.
    Inodes,
}

/// The disk; it is unmounted when dropped.
pub struct SmallDisk {
    place: PathBuf,
    /// All mounts, in the order in which they were made.
    mounts: Vec<PathBuf>,
}

const PAGE: u64 = 4096;
/// With some room for what a few messages need when there is no shortage.
const OPTIONS: &str = "size=4m,nr_inodes=2000,mode=755";

impl SmallDisk {
    /// Puts it under queue and mailboxes of an installation, which it then has to be installed on again.
    pub fn under(instance: &Instance) -> Option<SmallDisk> {
        if !is_root() {
            skipped("only root can mount a small disk");
            return None;
        }
        let place = instance.beside("disk");
        fs::create_dir(&place).expect("a place for the disk");
        let uid = owner_uid();
        let options = format!("{OPTIONS},uid={uid},gid={uid}");
        let mut disk = SmallDisk { place: place.clone(), mounts: Vec::new() };
        if !disk.mount(&["-t", "tmpfs", "-o", &options, "tmpfs"], &place) {
            skipped("no disk can be mounted here");
            return None;
        }
        for name in ["queue", "alias"] {
            let part = place.join(name);
            fs::create_dir(&part).expect("a part of the disk");
            std::os::unix::fs::chown(&part, Some(uid), Some(uid)).expect("its owner");
            let source = part.to_str().expect("an ASCII path");
            assert!(disk.mount(&["--bind", source], &instance.path(name)), "a disk under {name}");
        }
        Some(disk)
    }

    fn mount(&mut self, words: &[&str], place: &Path) -> bool {
        let mounted = Command::new("mount").args(words).arg(place).stderr(Stdio::null()).status();
        let done = mounted.is_ok_and(|status| status.success());
        if done {
            self.mounts.push(place.to_owned());
        }
        done
    }

    /// Leaves just so much.
    pub fn leave(&self, shortage: Shortage, count: usize) {
        match shortage {
            Shortage::Space => {
                let mut filler = File::create(self.filler()).expect("a filler");
                let zeros = [0; 4096];
                while filler.write_all(&zeros).is_ok() {}
                let pages = filler.metadata().expect("its size").len() / PAGE;
                let kept = pages.saturating_sub(u64::try_from(count).expect("a small number"));
                filler.set_len(kept * PAGE).expect("space");
            }
            Shortage::Inodes => {
                fs::create_dir(self.filler()).expect("a filler");
                let file = |number: usize| self.filler().join(number.to_string());
                let made = (0..).take_while(|number| File::create(file(*number)).is_ok()).count();
                for number in made.saturating_sub(count)..made {
                    fs::remove_file(file(number)).expect("one inode more");
                }
            }
        }
    }

    /// Gives everything back.
    pub fn give_back(&self) {
        let filler = self.filler();
        let removed = if filler.is_dir() { fs::remove_dir_all(filler) } else { fs::remove_file(filler) };
        removed.expect("the filler");
    }

    fn filler(&self) -> PathBuf {
        self.place.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        for place in self.mounts.iter().rev() {
            let _ = Command::new("umount").arg("-l").arg(place).status();
        }
    }
}
