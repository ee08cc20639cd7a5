//! What readers of a maildir see: the messages in `new` and `cur`; and what they clear away in `tmp`.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use unix::failure::{self, Failure};

/// A delivery takes a day at most. What was not touched in `tmp` for a day and a half belongs to none.
const TMP_LIMIT: i64 = 36 * 60 * 60;

/// A message in a maildir.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Message {
    /// When it was delivered (its file last written), in Unix seconds.
    pub delivered: i64,
    /// Its file, relative to the maildir: `new/NAME` or `cur/NAME`.
    pub path: PathBuf,
}

/// The messages in these directories of a maildir, oldest first. Names that begin with a dot are none.
///
/// A message that came within the second `now` is left for the next time, so that the order of messages is that of
/// their delivery.
///
/// # Errors
/// Temporary; a directory cannot be read, or a file in it cannot be looked at.
pub fn messages(maildir: &Path, directories: &[&str], now: i64) -> Result<Vec<Message>, Failure> {
    let mut found = Vec::new();
    for directory in directories {
        let unable = |what: &str, error: &io::Error| {
            Failure::temporary(format!("unable to {what} $MAILDIR/{directory}")).because(error)
        };
        let entries = fs::read_dir(maildir.join(directory)).map_err(|error| unable("scan", &error))?;
        for entry in entries {
            let name = entry.map_err(|error| unable("read", &error))?.file_name();
            let path = Path::new(directory).join(&name);
            if is_hidden(&name) {
                continue;
            }
            match fs::metadata(maildir.join(&path)) {
                Ok(metadata) if metadata.mtime() < now => {
                    found.push(Message { delivered: metadata.mtime(), path });
                }
                Ok(_) => {}
                // A reader took it, or moved it.
                Err(error) if failure::is_absent(&error) => {}
                Err(error) => return Err(unable("read", &error)),
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Removes from `tmp` what deliveries left there that never ended. What cannot be removed now can be later.
pub fn clean_tmp(maildir: &Path, now: i64) {
    let Ok(entries) = fs::read_dir(maildir.join("tmp")) else { return };
    for entry in entries.flatten().filter(|entry| !is_hidden(&entry.file_name())) {
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_file() && metadata.atime() < now.saturating_sub(TMP_LIMIT) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_bytes().first() == Some(&b'.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, FileTimes};
    use std::time::{Duration, UNIX_EPOCH};

    const NOW: i64 = 1_000_000_000;

    fn put(maildir: &Path, name: &str, age: i64) {
        let path = maildir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let time = UNIX_EPOCH + Duration::from_secs(u64::try_from(NOW - age).unwrap());
        let file = File::create(path).unwrap();
        file.set_times(FileTimes::new().set_accessed(time).set_modified(time)).unwrap();
    }

    #[test]
    fn messages_are_listed_by_age_and_those_of_this_second_wait() {
        let maildir = tempfile::tempdir().unwrap();
        for (name, age) in [("new/a", 1), ("cur/b:2,S", 9), ("new/now", 0), ("new/.hidden", 5), ("cur/c", 1)]
        {
            put(maildir.path(), name, age);
        }
        let found = messages(maildir.path(), &["new", "cur"], NOW).unwrap();
        let names: Vec<&Path> = found.iter().map(|message| message.path.as_path()).collect();
        assert_eq!(names, ["cur/b:2,S", "cur/c", "new/a"].map(Path::new));
    }

    #[test]
    fn a_directory_that_is_missing_is_named() {
        let maildir = tempfile::tempdir().unwrap();
        let failure = messages(maildir.path(), &["new"], NOW).unwrap_err();
        assert_eq!(failure.text(), b"unable to scan $MAILDIR/new: file does not exist");
    }

    #[test]
    fn only_what_nobody_touched_for_a_day_and_a_half_is_cleared_away() {
        let maildir = tempfile::tempdir().unwrap();
        put(maildir.path(), "tmp/old", TMP_LIMIT + 1);
        put(maildir.path(), "tmp/.old", TMP_LIMIT + 1);
        put(maildir.path(), "tmp/young", TMP_LIMIT);
        clean_tmp(maildir.path(), NOW);
        let mut left: Vec<_> = fs::read_dir(maildir.path().join("tmp"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, [".old", "young"]);
    }
}
