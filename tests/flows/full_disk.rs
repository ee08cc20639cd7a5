//! A disk that is full under the queue: nothing is accepted that is not stored, and afterwards all goes on.

use harness::messages;
use harness::{HOST, Instance, is_root, owner_uid, skipped};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A small file system, unmounted at the end of the test.
struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// Mounts a file system of one mebibyte with so many inodes.
    fn mount(path: &Path, inodes: usize) -> Option<SmallDisk> {
        if !is_root() {
            skipped("only root can mount a small file system");
            return None;
        }
        let uid = owner_uid();
        let options = format!("size=1m,nr_inodes={inodes},uid={uid},gid={uid},mode=750");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(path).stderr(Stdio::null());
        if !mount.status().is_ok_and(|status| status.success()) {
            skipped("no file system can be mounted here");
            return None;
        }
        Some(SmallDisk { path: path.to_owned() })
    }

    /// Fills it to its last byte.
    fn fill(&self) {
        let mut filler = File::create(self.path.join("filler")).expect("a file to fill the disk with");
        while filler.write_all(&[0; 512]).is_ok() {}
    }

    fn make_room(&self) {
        fs::remove_file(self.path.join("filler")).expect("the file that filled the disk");
    }

    /// Gives it eight times the size.
    fn grow(&self) {
        let grown = Command::new("mount").args(["-o", "remount,size=8m"]).arg(&self.path).status();
        assert!(grown.is_ok_and(|status| status.success()), "a larger disk");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

fn instance_with_small_queue(inodes: usize) -> Option<(Instance, SmallDisk)> {
    let instance = Instance::new();
    let disk = SmallDisk::mount(&instance.path("queue"), inodes)?;
    instance.install();
    Some((instance, disk))
}

/// The reply to the end of DATA.
fn reply_of_smtpd(instance: &Instance) -> String {
    let session = format!(
        "EHLO client\r\nMAIL FROM:<s@src.example>\r\nRCPT TO:<joe@{HOST}>\r\nDATA\r\nSubject: by SMTP\r\n\r\nx\r\n.\r\nQUIT\r\n"
    );
    let output = instance.call("qmail-smtpd").env("TCPREMOTEIP", "192.0.2.1").input(session).run().out_text();
    output.lines().rev().nth(1).unwrap_or_default().to_owned()
}

/// R1
#[test]
fn r1_a_full_disk_refuses_mail_for_now_and_leaves_nothing_behind() {
    let Some((mut instance, disk)) = instance_with_small_queue(2000) else { return };
    let joe = instance.mailbox("joe");
    let to_joe = format!("joe@{HOST}");
    let inject = |instance: &Instance| {
        instance.call("qmail-inject").arg(&to_joe).input("Subject: injected\n\nx\n").run()
    };
    assert_eq!(inject(&instance).code, 0);
    let before = instance.queue();
    disk.fill();
    let filled = || instance.queue().into_iter().filter(|name| name != "filler").collect();
    assert_eq!(instance.enqueue("s@x", &[&to_joe], "x"), 53);
    let outcome = inject(&instance);
    let text = "qmail-inject: fatal: qq write error or disk full (#4.3.0)\n";
    assert_eq!((outcome.code, outcome.err_text().as_str()), (111, text));
    assert_eq!(reply_of_smtpd(&instance), "451 qq write error or disk full (#4.3.0)");
    assert_eq!(before, filled());

    instance.start();
    instance.wait_for_log("warning: trouble writing to ");
    assert_eq!(messages(&joe).len(), 0);
    disk.make_room();
    assert!(reply_of_smtpd(&instance).starts_with("250 ok "));
    instance.wait_until_delivered();
    assert_eq!(messages(&joe).len(), 2);
    instance.stop();
}

/// R1
#[test]
fn r1_no_inodes_left_is_the_same_as_no_space() {
    let Some((instance, _disk)) = instance_with_small_queue(500) else { return };
    let filler = instance.path("queue/filler");
    fs::create_dir(&filler).expect("a directory to fill the disk with");
    let mut files: Vec<PathBuf> = (0..500)
        .map(|number| filler.join(number.to_string()))
        .take_while(|path| File::create(path).is_ok())
        .collect();
    let mut statuses = Vec::new();
    while statuses.last() != Some(&0) {
        let before = instance.queue();
        statuses.push(instance.enqueue("s@x", &["a@b"], "x"));
        let new = instance.queue().difference(&before).count();
        assert_eq!(new, if statuses.last() == Some(&0) { 3 } else { 0 }, "{statuses:?}");
        // Here each name costs an inode, so each one makes another step possible.
        fs::remove_file(files.pop().expect("a file that was created")).expect("one inode more");
    }
    assert_eq!(statuses, [63, 64, 66, 0]);
}

/// R1
#[test]
fn r1_a_snapshot_that_finds_no_room_is_none_and_leaves_the_room_that_there_was() {
    let instance = Instance::new();
    let backups = instance.path("backups");
    let made = instance.command(Path::new("/bin/mkdir")).arg(&backups).status();
    assert!(made.is_ok_and(|status| status.success()));
    let Some(_disk) = SmallDisk::mount(&backups, 100) else { return };
    let text = vec![b'x'; 2_000_000];
    assert_eq!(instance.enqueue("s@x", &[&format!("joe@{HOST}")], text), 0);
    let directory = backups.join("night");
    let outcome = instance.call("qmail-queuectl").arg("snapshot").arg(&directory).run();
    let text = format!(
        "qmail-queuectl: fatal: unable to write {}/unfinished: out of disk space\n",
        directory.display()
    );
    assert_eq!((outcome.code, outcome.err_text()), (111, text));
    assert_eq!(fs::read_dir(&directory).expect("a directory").count(), 0);
}

/// R1
#[test]
fn r1_what_does_not_fit_is_restored_when_there_is_room_and_nothing_twice() {
    let Some((mut instance, disk)) = instance_with_small_queue(2000) else { return };
    let from = Instance::new();
    let (joe, directory) = (instance.mailbox("joe"), from.path("night"));
    // More than a batch, so that some are restored before the disk is full.
    let count = 100;
    for number in 0..count {
        let text = format!("Subject: {number}\n\nx\n");
        assert_eq!(from.enqueue("s@x", &[&format!("joe@{HOST}")], text), 0);
    }
    assert_eq!(from.call("qmail-queuectl").arg("snapshot").arg(&directory).run().code, 0);
    disk.fill();
    // A message takes two pages here: seventy, and a piece of the next.
    let filler = File::options().write(true).open(disk.path.join("filler")).expect("the filler");
    let length = filler.metadata().expect("its length").len();
    filler.set_len(length - 4096 * 141).expect("room for some");
    let restore = || instance.call("qmail-queuectl").arg("restore").arg(&directory).run();
    let outcome = restore();
    let (error, restored) = (outcome.err_text(), outcome.out_text().matches(": restored as ").count());
    let (start, end) = ("qmail-queuectl: fatal: unable to write ", ": out of disk space\n");
    assert!(outcome.code == 111 && error.starts_with(start) && error.ends_with(end), "{error}");
    assert!(restored > 0 && restored < count, "{restored}");
    // Of the others nothing is left.
    let messages_in = |kind: &str| instance.queue().iter().filter(|name| name.starts_with(kind)).count();
    assert_eq!([messages_in("mess/"), messages_in("todo/")], [restored; 2]);
    disk.grow();
    let outcome = restore();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    assert_eq!(outcome.out_text().matches(": was restored before, as ").count(), restored);
    assert_eq!(outcome.out_text().matches(": restored as ").count(), count - restored);
    disk.make_room();
    instance.start();
    instance.wait_until_delivered();
    let texts = messages(&joe);
    let subject = |text: &String| text.lines().find(|line| line.starts_with("Subject: ")).map(str::to_owned);
    let subjects: BTreeSet<String> = texts.iter().filter_map(subject).collect();
    assert_eq!((texts.len(), subjects.len()), (count, count));
    instance.stop();
}
