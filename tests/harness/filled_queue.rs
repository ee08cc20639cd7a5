//! A queue with many messages, made file by file: qmail-queue would take minutes.

use crate::{Instance, owner_uid};
use std::fs::{self, File, FileTimes};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How far the messages have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// S4: in todo.
    Todo,
    /// S5, due at once.
    Due,
    /// S5, three days old and not due for hours.
    Waiting,
}

impl Instance {
    /// Puts so many small messages with one local recipient into the queue, in which nothing works meanwhile.
    pub fn fill_queue(&self, count: usize, stage: Stage, sender: &str, recipient: &str) {
        let queue = self.path("queue");
        let now = SystemTime::now();
        let (birth, due) = (now - 3 * DAY, now + HOURS);
        for _ in 0..count {
            // The inode number of the mess file is the message's name.
            let pid = queue.join("pid/new");
            put(&pid, "Subject: one of many\n\nx\n", None);
            let number = fs::metadata(&pid).expect("a message").ino();
            let split = |kind: &str| queue.join(format!("{kind}/{}/{number}", number % 23));
            fs::rename(&pid, split("mess")).expect("a message's name");
            if stage == Stage::Todo {
                let intd = queue.join(format!("intd/{number}"));
                put(&intd, &format!("u1\0p2\0F{sender}\0T{recipient}\0"), None);
                fs::hard_link(&intd, queue.join(format!("todo/{number}"))).expect("a name in todo");
                continue;
            }
            let is_waiting = stage == Stage::Waiting;
            put(&split("info"), &format!("F{sender}\0"), is_waiting.then_some(birth));
            put(&split("local"), &format!("T{recipient}\0"), is_waiting.then_some(due));
        }
    }
}

/// Ages of waiting messages: the next attempt of one of three days is hours away.
const DAY: Duration = Duration::from_secs(86_400);
const HOURS: Duration = Duration::from_secs(9000);

fn put(path: &PathBuf, text: &str, time: Option<SystemTime>) {
    let mut file = File::create(path).expect("a file of the queue");
    file.write_all(text.as_bytes()).expect("its text");
    if let Some(time) = time {
        file.set_times(FileTimes::new().set_modified(time)).expect("its time");
    }
    hand_over(path);
}

fn hand_over(path: &Path) {
    chown(path, Some(owner_uid()), Some(owner_uid())).expect("its owner");
}
