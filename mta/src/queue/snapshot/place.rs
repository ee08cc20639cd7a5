//! A message of a snapshot becomes one of this queue, once.
//!
//! A restored message is made like a received one, with a number of its own. Its last file, info or todo, first has a
//! name that qmail-send passes over, `info/R/N.SNAPSHOT`. What is done in which order, for a batch of messages together:
//!
//! | step | a crash right after it leaves | and then |
//! |---|---|---|
//! | write mess, todo or info under that name, local, remote, bounce; sync all of it and the names | a stray mess, and files that nobody looks at | the next run takes those away, and restores the message under another number |
//! | note the number in `queuectl/restored.SNAPSHOT`; sync it | a message that is restored but for one name | the next run gives it the name, or restores it anew if it was collected meanwhile |
//! | give the last file its own name; sync the directories | an accepted message, S4 or S5 | the next run passes it over |
//!
//! So the file with the long name tells whether a noted message has been in the queue, even if it is delivered and gone. The
//! record is in the queue: it belongs to that queue and goes with it, and the snapshot is only read. If there is no next run, the
//! stray is collected like those of qmail-queue, and its files go when its number is used again, as everything stale does.

use super::message::{Message, Preprocessed, State};
use super::record::{Noted, Placed, Record};
use super::rights::Rights;
use crate::queue::layout::{HELD, Kind, MessageNumber};
use crate::queue::mess::{self, is_same_text};
use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};
use unix::failure::{self, Failure};
use unix::{file, lock};

/// Messages that wait for the disk together.
const BATCH: usize = 64;

/// What was restored from one snapshot into this queue, and what is being restored.
pub struct Placing<'a> {
    rights: &'a Rights,
    /// The name of the snapshot.
    snapshot: &'a str,
    record: Record,
    batch: Vec<Draft>,
    /// Messages that are not restored, to be noted with the batch.
    passed_over: Vec<(MessageNumber, Noted)>,
}

/// A message that is not in the queue yet.
struct Draft {
    placed: Placed,
    from: MessageNumber,
    /// Its files, open: while mess is, the number is taken, and the lock keeps the collector of strays away.
    files: Vec<(PathBuf, File)>,
}

impl<'a> Placing<'a> {
    /// Goes on where an earlier run, if there was one, has ended. The queue is the working directory.
    pub fn resume(rights: &'a Rights, snapshot: &'a str) -> Result<Placing<'a>, Failure> {
        let record = rights.as_qmails(|| Record::open(snapshot))?;
        let placing = Placing { rights, snapshot, record, batch: Vec::new(), passed_over: Vec::new() };
        placing.forget_strays()?;
        Ok(placing)
    }

    /// What became of a message with this text in an earlier run; nothing if that has to be decided now.
    ///
    /// A noted message may have waited for its name so long that it was collected as a stray, and its number may be
    /// another's by now. While its text is there, locked, it is still its own.
    pub fn settle(&self, from: MessageNumber, text: impl Read) -> Result<Option<Noted>, Failure> {
        let noted = self.record.entries.get(&from).copied();
        let Some(Noted::Placed(placed)) = noted else { return Ok(noted) };
        let staged = staged(placed, self.snapshot);
        let owns = |work: &dyn Fn() -> Result<bool, Failure>| match placed.is_preprocessed {
            true => self.rights.as_qmails(work),
            false => self.rights.as_qmailq(work),
        };
        if !owns(&|| is_there(&staged))? {
            return Ok(noted);
        }
        let own = self.rights.as_qmails(|| lock_if_own(placed.number, text))?;
        if own.is_some() && self.rights.as_qmails(|| is_free(placed.number))? {
            self.give_names(&[placed])?;
        } else {
            // It has both names, where a file system cannot rename in one step; or the number is another's.
            owns(&|| remove(&staged).map(|()| true))?;
        }
        Ok(noted.filter(|_| own.is_some()))
    }

    /// All of them.
    pub fn all_placed(&self) -> impl Iterator<Item = Placed> {
        self.record.entries.values().filter_map(|noted| match noted {
            Noted::Placed(placed) => Some(*placed),
            Noted::Present | Noted::Done => None,
        })
    }

    /// Decides for good that a message is not restored into this queue from this snapshot.
    pub fn pass_over(&mut self, from: MessageNumber, why: Noted) {
        self.passed_over.push((from, why));
    }

    /// Prepares a message; its number here. It is in the queue once the batch is [committed](Placing::commit).
    pub fn add(&mut self, message: &Message, text: impl Read) -> Result<MessageNumber, Failure> {
        let (number, mess) = self.create_mess()?;
        let mess = self.rights.as_qmailq(|| write_mess(number, mess, text))?;
        let is_preprocessed = matches!(message.state, State::Preprocessed(_));
        let placed = Placed { number, is_preprocessed };
        let files = vec![(Kind::Mess.path(number), mess)];
        let mut draft = Draft { placed, from: message.number, files };
        let last = staged(placed, self.snapshot);
        let free = self.rights.as_qmails(|| check_free(number));
        let written = free.and_then(|()| match &message.state {
            State::Queued(todo) => self.rights.as_qmailq(|| draft.write(&last, 0o644, todo)),
            State::Preprocessed(found) => self.rights.as_qmails(|| draft.write_preprocessed(&last, found)),
        });
        self.batch.push(draft);
        written.map(|()| number)
    }

    /// The file for a text.
    ///
    /// A number with which a noted message waits for its name is passed over: its text was collected, but whether it has
    /// been in the queue is told by the file with the long name, until it is [settled](Placing::settle).
    fn create_mess(&self) -> Result<(MessageNumber, File), Failure> {
        let mut passed_over = Vec::new();
        let created = loop {
            let created = self.rights.as_qmailq(create_mess);
            match created {
                Ok((number, mess)) if self.is_waiting(number)? => passed_over.push((number, mess)),
                created => break created,
            }
        };
        // They are open until now, so that each attempt had another number.
        for (number, _) in passed_over {
            self.rights.as_qmailq(|| remove(&Kind::Mess.path(number)))?;
        }
        created
    }

    /// Whether there is a file with a long name for this number.
    fn is_waiting(&self, number: MessageNumber) -> Result<bool, Failure> {
        let is_there = |is_preprocessed| is_there(&staged(Placed { number, is_preprocessed }, self.snapshot));
        self.rights.as_qmails(|| Ok(is_there(false)? || is_there(true)?))
    }

    /// Whether the batch has become as large as it should.
    pub fn is_full(&self) -> bool {
        self.batch.len().saturating_add(self.passed_over.len()) >= BATCH
    }

    /// Makes the batch accepted messages.
    pub fn commit(&mut self) -> Result<(), Failure> {
        if self.batch.is_empty() && self.passed_over.is_empty() {
            return Ok(());
        }
        self.rights.as_qmails(|| sync(&self.batch))?;
        // Were a message noted and then taken back, the next run would believe that it was restored. Its number has to
        // stay taken until it has its name.
        let batch = std::mem::take(&mut self.batch);
        let placed: Vec<Placed> = batch.iter().map(|draft| draft.placed).collect();
        let mut entries = std::mem::take(&mut self.passed_over);
        entries.extend(batch.iter().map(|draft| (draft.from, Noted::Placed(draft.placed))));
        let record = &mut self.record;
        self.rights.as_qmails(|| record.note(&entries))?;
        self.give_names(&placed)
    }

    /// The last step, which makes messages visible.
    fn give_names(&self, placed: &[Placed]) -> Result<(), Failure> {
        let of = |kind: Kind| placed.iter().filter(move |placed| placed.last_kind() == kind).copied();
        self.rights.as_qmailq(|| give_names(of(Kind::Todo), self.snapshot))?;
        self.rights.as_qmails(|| give_names(of(Kind::Info), self.snapshot))
    }

    /// Removes what a run that was broken off has left of messages that are not noted. Their texts are strays like those
    /// of a killed qmail-queue, and collected like them.
    fn forget_strays(&self) -> Result<(), Failure> {
        self.rights.as_qmailq(|| self.strays(Kind::Todo)?.iter().try_for_each(|(path, _)| remove(path)))?;
        self.rights.as_qmails(|| {
            self.strays(Kind::Info)?.iter().try_for_each(|(path, number)| {
                forget_files(*number)?;
                remove(path)
            })
        })
    }

    /// Files with a long name of this snapshot whose messages are not noted.
    fn strays(&self, kind: Kind) -> Result<Vec<(PathBuf, MessageNumber)>, Failure> {
        let noted: BTreeSet<MessageNumber> = self.all_placed().map(|placed| placed.number).collect();
        let end = format!(".{}", self.snapshot);
        let number_of = |path: &Path| {
            let number = path.file_name()?.to_str()?.strip_suffix(&end)?;
            MessageNumber::parse(number.as_bytes()).filter(|number| !noted.contains(number))
        };
        let mut strays = Vec::new();
        for directory in kind.directories() {
            for entry in fs::read_dir(&directory).map_err(unable("read", &directory))? {
                let path = entry.map_err(unable("read", &directory))?.path();
                strays.extend(number_of(&path).map(|number| (path, number)));
            }
        }
        Ok(strays)
    }
}

impl Drop for Placing<'_> {
    /// Takes back what is prepared and not noted, as far as that is possible.
    fn drop(&mut self) {
        for draft in self.batch.drain(..) {
            // The text goes last: as long as it is there the number is nobody else's.
            for (path, _) in draft.files.iter().rev() {
                let is_qmailqs = path.starts_with("mess") || path.starts_with("todo");
                let _ = if is_qmailqs {
                    self.rights.as_qmailq(|| remove(path))
                } else {
                    self.rights.as_qmails(|| remove(path))
                };
            }
        }
    }
}

/// Removes the files of S5 of a message that has none of the files that make it an accepted one.
///
/// If its text is gone, its number may be another message's at any moment; then they stay until that is preprocessed. The
/// lock keeps qmail-queue and the collector away: who had it before has ended, and todo is there or will never be.
fn forget_files(number: MessageNumber) -> Result<(), Failure> {
    let Ok(mess) = file::open_read(&Kind::Mess.path(number)) else { return Ok(()) };
    if lock::try_exclusive(&mess).is_err() || !is_free(number)? {
        return Ok(());
    }
    [Kind::Bounce, Kind::Local, Kind::Remote].iter().try_for_each(|kind| remove(&kind.path(number)))
}

fn remove(path: &Path) -> Result<(), Failure> {
    file::remove_if_present(path).map_err(unable("unlink", path))
}

/// Where a message's last file is until the message is accepted.
fn staged(placed: Placed, snapshot: &str) -> PathBuf {
    PathBuf::from(format!("{}.{snapshot}", placed.last_kind().name(placed.number)))
}

fn create_mess() -> Result<(MessageNumber, File), Failure> {
    mess::create().map_err(|(_, error)| unable("create a file in", Path::new("mess"))(error))
}

fn write_mess(number: MessageNumber, mut mess: File, mut text: impl Read) -> Result<File, Failure> {
    let path = Kind::Mess.path(number);
    if let Err(error) = io::copy(&mut text, &mut mess) {
        let _ = fs::remove_file(&path);
        return Err(unable("write", &path)(error));
    }
    Ok(mess)
}

/// The text of a message that waits for its name, locked; nothing if the number is not, or no longer, its own.
fn lock_if_own(number: MessageNumber, text: impl Read) -> Result<Option<File>, Failure> {
    let path = Kind::Mess.path(number);
    let mess = match file::open_read(&path) {
        Err(error) if failure::is_absent(&error) => return Ok(None),
        opened => opened.map_err(unable("open", &path))?,
    };
    lock::try_exclusive(&mess).map_err(unable("lock", &path))?;
    let is_own = is_same_text(&mess, text).map_err(unable("read", &path))?;
    Ok(is_own.then_some(mess))
}

/// Whether there is neither todo nor info of that number. A damaged message may have left one behind, which would become
/// another's envelope.
fn is_free(number: MessageNumber) -> Result<bool, Failure> {
    // In this order: preprocessing makes info before todo goes.
    Ok(!is_there(&Kind::Todo.path(number))? && !is_there(&Kind::Info.path(number))?)
}

fn is_there(path: &Path) -> Result<bool, Failure> {
    match fs::symlink_metadata(path) {
        Err(error) if failure::is_absent(&error) => Ok(false),
        found => found.map(|_| true).map_err(unable("stat", path)),
    }
}

fn check_free(number: MessageNumber) -> Result<(), Failure> {
    if is_free(number)? {
        return Ok(());
    }
    Err(Failure::temporary(format!(
        "unable to use number {number}: queue/todo or queue/info has a file of it"
    )))
}

impl Draft {
    /// The file with the long name comes first: by it the next run finds the others.
    fn write_preprocessed(&mut self, last: &Path, found: &Preprocessed) -> Result<(), Failure> {
        self.write(last, if found.held { 0o600 | HELD } else { 0o600 }, &found.info)?;
        let birth = UNIX_EPOCH.checked_add(Duration::from_secs(found.birth)).unwrap_or(UNIX_EPOCH);
        let times = FileTimes::new().set_modified(birth);
        self.files.last().map_or(Ok(()), |(_, info)| info.set_times(times)).map_err(unable("write", last))?;
        for kind in [Kind::Local, Kind::Remote, Kind::Bounce] {
            remove(&kind.path(self.placed.number))?;
        }
        let number = self.placed.number;
        found.other_files().try_for_each(|(kind, contents)| self.write(&kind.path(number), 0o600, contents))
    }

    fn write(&mut self, path: &Path, mode: u32, contents: &[u8]) -> Result<(), Failure> {
        let mut file = file::create_new(path, mode).map_err(unable("create", path))?;
        let written = file
            .set_permissions(Permissions::from_mode(mode))
            .and_then(|()| file.write_all(contents))
            .map_err(unable("write", path));
        self.files.push((path.to_owned(), file));
        written
    }
}

/// Puts the files of the batch, and their names, on disk.
fn sync(batch: &[Draft]) -> Result<(), Failure> {
    let files = || batch.iter().flat_map(|draft| &draft.files);
    let directories: BTreeSet<&Path> = files().filter_map(|(path, _)| path.parent()).collect();
    let mut opened = Vec::new();
    for path in directories {
        opened.push((path, file::open_directory(path).map_err(unable("open", path))?));
    }
    let all: Vec<(&Path, &File)> = files()
        .map(|(path, file)| (path.as_path(), file))
        .chain(opened.iter().map(|(path, directory)| (*path, directory)))
        .collect();
    let results = file::sync_together(&all.iter().map(|(_, file)| *file).collect::<Vec<_>>());
    all.iter().zip(results).try_for_each(|((path, _), result)| result.map_err(unable("sync", path)))
}

fn give_names(placed: impl Iterator<Item = Placed>, snapshot: &str) -> Result<(), Failure> {
    let mut directories = BTreeSet::new();
    for placed in placed {
        let (from, to) = (staged(placed, snapshot), placed.last_kind().path(placed.number));
        file::rename_to_new(&from, &to).map_err(unable("rename", &from))?;
        directories.extend(to.parent().map(Path::to_owned));
    }
    directories.iter().try_for_each(|path| file::sync_directory(path).map_err(unable("sync", path)))
}

pub(super) fn unable(what: &'static str, path: &Path) -> impl Fn(io::Error) -> Failure + use<> {
    let path = path.to_owned();
    move |error| super::refused(&format!("unable to {what} {}", path.display()), &error)
}
