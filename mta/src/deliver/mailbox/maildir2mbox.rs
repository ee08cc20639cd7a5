//! `maildir2mbox` moves mail from a maildir to an mbox.
//!
//! Reads    MAILDIR, MAIL and MAILTMP; the messages in `new` and `cur` of the maildir.
//! Writes   the mbox MAIL, by way of MAILTMP on the same file system.
//! Runs as  the user.   Trusts  the variables; messages may hold anything.
//! Exits    0 · 100 MAILTMP is MAIL · 111 nothing was moved, or (with that said) more is kept than was needed.
//! Manual   maildir2mbox(1), maildir(5), mbox(5).
//!
//! What a crash leaves, step by step:
//!
//! | after | mbox | maildir | and so |
//! |---|---|---|---|
//! | writing MAILTMP | old | all | MAILTMP is left, and replaced the next time |
//! | fsync of MAILTMP | old | all | the same |
//! | rename | old or new | all | after new, messages come twice the next time |
//! | fsync of the directory | new | all | they come twice |
//! | removing messages | new | those not removed yet | those come twice |
//!
//! In none of them is a message in neither place.

use super::maildir_listing::{self, Message};
use super::mbox::{self, Trouble};
use super::mbox_end;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use unix::clock::Now;
use unix::failure::{self, Failure};
use unix::program::{Exit, Invocation};
use unix::{account, directory, file, lock, process};

const MAILDIR_PARTS: &[&str] = &["new", "cur"];
/// A first line that is longer tells no sender.
const FIRST_LINE_LIMIT: u64 = 4096;
/// What stands in a `From ` line if the message does not say who sent it.
const NOBODY: &[u8] = b"XXX";

/// Where mail comes from and goes to.
struct Places {
    mbox: PathBuf,
    temporary: PathBuf,
    maildir: PathBuf,
}

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    move_mail(invocation)?;
    Ok(Exit::SUCCESS)
}

/// Moves the mail. Working directory and umask of the process change.
pub fn move_mail(invocation: &Invocation) -> Result<(), Failure> {
    process::set_umask(0o077);
    let places = Places::from_environment(invocation)?;
    enter(&places.maildir)?;
    let here = Path::new(".");
    let now = Now::read().wall;
    maildir_listing::clean_tmp(here, now);
    let messages = maildir_listing::messages(here, MAILDIR_PARTS, now)?;
    if messages.is_empty() {
        return Ok(());
    }
    let mut mbox = open_mbox(&places.mbox)?;
    let moved = replace(invocation, &mut mbox, &places, messages)?;
    for message in moved {
        remove(invocation, &message);
    }
    // Only here does the lock go.
    drop(mbox);
    Ok(())
}

impl Places {
    fn from_environment(invocation: &Invocation) -> Result<Places, Failure> {
        let environment = invocation.environment();
        let path = |name: &str| {
            let value = environment.get(name).ok_or_else(|| Failure::temporary(format!("{name} not set")))?;
            Ok::<_, Failure>(PathBuf::from(OsStr::from_bytes(value)))
        };
        Ok(Places { mbox: path("MAIL")?, temporary: path("MAILTMP")?, maildir: path("MAILDIR")? })
    }
}

/// Makes the maildir the working directory. Root does nothing below another's directory.
pub(super) fn enter(maildir: &Path) -> Result<(), Failure> {
    directory::enter(maildir).map_err(|error| named("unable to chdir to ", maildir, &error))?;
    let owner = fs::metadata(".").map_err(|error| named("unable to chdir to ", maildir, &error))?.uid();
    if account::effective_uid() == 0 && owner != 0 {
        let text =
            [maildir.as_os_str().as_bytes(), b" belongs to another user, and root moves no mail of his"];
        return Err(Failure::permanent(text.concat()));
    }
    Ok(())
}

fn named(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::temporary([what.as_bytes(), path.as_os_str().as_bytes()].concat()).because(error)
}

/// Opens the mbox, creating it, and waits for its lock as long as that takes.
fn open_mbox(path: &Path) -> Result<File, Failure> {
    let mbox = mbox::open_locked(path, file::open_read_append, lock::exclusive);
    let mbox = mbox.map_err(|trouble| match trouble {
        Trouble::Open(error) | Trouble::Read(error) => named("unable to read ", path, &error),
        Trouble::Write(error) => named("unable to lock ", path, &error),
        Trouble::Locked => named("unable to lock ", path, &io::ErrorKind::TimedOut.into()),
    })?;
    let metadata = mbox.metadata().map_err(|error| named("unable to read ", path, &error))?;
    if !metadata.is_file() {
        return Err(named("unable to read ", path, &io::ErrorKind::InvalidInput.into()));
    }
    Ok(mbox)
}

/// Puts a file with the old mail and the new in place of the mbox. The messages that are in it, on disk.
fn replace(
    invocation: &Invocation,
    mbox: &mut File,
    places: &Places,
    messages: Vec<Message>,
) -> Result<Vec<Message>, Failure> {
    let temporary = &places.temporary;
    let unable_to_move = |error: &io::Error| {
        let to = places.mbox.as_os_str().as_bytes();
        let text = [b"unable to move ", temporary.as_os_str().as_bytes(), b" to ", to].concat();
        Failure::temporary(text).because(error)
    };
    // A link to the mbox stays one: what it points to is replaced.
    let target = fs::canonicalize(&places.mbox).map_err(|error| unable_to_move(&error))?;
    let mut aside = create_aside(mbox, temporary)?;
    let moved = fill(invocation, mbox, &mut aside, places, messages).and_then(|moved| {
        fs::rename(temporary, &target).map_err(|error| unable_to_move(&error))?;
        Ok(moved)
    });
    if moved.is_err() {
        let _ = fs::remove_file(temporary);
        return moved;
    }
    // The mail is in the mbox, but a power cut could still bring the old one back.
    mbox::sync_name(&aside, &target).map_err(|error| unable_to_move(&error))?;
    moved
}

/// Creates MAILTMP anew. What is there was left by a crash; that it is MAIL itself is a mistake that would cost mail.
fn create_aside(mbox: &File, temporary: &Path) -> Result<File, Failure> {
    let unable = |error: &io::Error| named("unable to create ", temporary, error);
    match fs::symlink_metadata(temporary) {
        Ok(found) => {
            let opened = mbox.metadata().map_err(|error| unable(&error))?;
            let points_to = fs::metadata(temporary).ok();
            if [Some(found), points_to]
                .iter()
                .flatten()
                .any(|it| (it.dev(), it.ino()) == (opened.dev(), opened.ino()))
            {
                return Err(Failure::permanent("MAILTMP is the same file as MAIL"));
            }
            fs::remove_file(temporary).map_err(|error| unable(&error))?;
        }
        Err(error) if failure::is_absent(&error) => {}
        Err(error) => return Err(unable(&error)),
    }
    file::create_new(temporary, 0o600).map_err(|error| unable(&error))
}

/// Writes the old mail and the messages, and puts them on disk.
fn fill(
    invocation: &Invocation,
    mbox: &mut File,
    aside: &mut File,
    places: &Places,
    messages: Vec<Message>,
) -> Result<Vec<Message>, Failure> {
    let unwritable = |error: &io::Error| named("unable to write to ", &places.temporary, error);
    let unreadable = |error: &io::Error| named("unable to read ", &places.mbox, error);
    let end = mbox_end::find(mbox).map_err(|error| unreadable(&error))?;
    mbox.rewind().map_err(|error| unreadable(&error))?;
    // Reading and writing fail alike here; which it was shows in the error.
    io::copy(&mut mbox.take(end.length), aside).map_err(|error| unwritable(&error))?;
    aside.write_all(end.separator).map_err(|error| unwritable(&error))?;
    let mut moved = Vec::new();
    for message in messages {
        if add(invocation, aside, &message, &unwritable)? {
            moved.push(message);
        }
    }
    aside.sync_all().map_err(|error| unwritable(&error))?;
    Ok(moved)
}

/// Adds a message; `false` if it is gone (a reader has taken it, or moved it to `cur`), or none.
fn add(
    invocation: &Invocation,
    aside: &mut File,
    message: &Message,
    unwritable: &impl Fn(&io::Error) -> Failure,
) -> Result<bool, Failure> {
    let unreadable = |error: &io::Error| named("unable to read $MAILDIR/", &message.path, error);
    let opened = match fs::symlink_metadata(&message.path) {
        Ok(found) if found.is_file() => file::open_read_no_follow(&message.path),
        Ok(_) => {
            let path = message.path.as_os_str().as_bytes();
            invocation.warn([b"$MAILDIR/", path, b" is left there: it is not a file"].concat());
            return Ok(false);
        }
        Err(error) => Err(error),
    };
    let opened = match opened {
        Ok(opened) => opened,
        Err(error) if failure::is_absent(&error) => return Ok(false),
        Err(error) => return Err(unreadable(&error)),
    };
    let mut text = BufReader::new(opened);
    let mut first_line = Vec::new();
    text.by_ref()
        .take(FIRST_LINE_LIMIT)
        .read_until(b'\n', &mut first_line)
        .map_err(|error| unreadable(&error))?;
    let delivered = u64::try_from(message.delivered).unwrap_or(0);
    let from_line = mbox::from_line(sender(&first_line), delivered);
    match mbox::write(aside, &from_line, &mut first_line.as_slice().chain(text)) {
        Ok(()) => Ok(true),
        Err(Trouble::Read(error) | Trouble::Open(error)) => Err(unreadable(&error)),
        Err(Trouble::Write(error)) => Err(unwritable(&error)),
        Err(Trouble::Locked) => Err(unwritable(&io::ErrorKind::TimedOut.into())),
    }
}

/// The sender that the line of qmail-local tells; empty for a bounce.
fn sender(first_line: &[u8]) -> &[u8] {
    let path = first_line.strip_prefix(b"Return-Path: <");
    path.and_then(|path| path.strip_suffix(b">\n")).unwrap_or(NOBODY)
}

fn remove(invocation: &Invocation, message: &Message) {
    match fs::remove_file(&message.path) {
        Err(error) if !failure::is_absent(&error) => {
            let path = message.path.as_os_str().as_bytes();
            let text = [b"$MAILDIR/", path, b" will be delivered twice; unable to unlink"].concat();
            invocation.warn(failure::because(text, &error));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sender_is_what_qmail_local_wrote_and_nothing_else() {
        assert_eq!(sender(b"Return-Path: <a@b>\n"), b"a@b");
        assert_eq!(sender(b"Return-Path: <>\n"), b"");
        for line in [&b"return-path: <a@b>\n"[..], b"Return-Path: a@b\n", b"Return-Path: <a@b>", b"", b"\n"] {
            assert_eq!(sender(line), NOBODY);
        }
    }
}
