//! The order `restore`: the messages of a snapshot into this queue, each once, whether qmail-send runs or not.

use super::archive::Archive;
use super::delivery_log::DeliveryLog;
use super::look::{Look, look};
use super::message::Message;
use super::place::Placing;
use super::record::{Noted, Placed};
use super::report::{Fate, Line};
use super::rights::Rights;
use super::unwritten;
use crate::control::Control;
use crate::queue::layout::MessageNumber;
use crate::queue::mess::is_same_text;
use crate::queue::queuectl::manager::QueueManager;
use crate::queue::queuectl::request::{Action, Answer};
use crate::queue::trigger;
use crate::send::route::Routing;
use crate::send::settings::Settings;
use std::collections::HashSet;
use std::fs;
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use unix::failure::Failure;
use unix::program::Exit;
use unix::{descriptor, file, process};

/// What is to be restored.
pub struct Order {
    /// The snapshot.
    pub directory: PathBuf,
    /// Logs of the queue that it was taken of: files, or directories of cyclog or multilog.
    pub logs: Vec<PathBuf>,
    /// Whether the report is for programs.
    pub json: bool,
}

/// Restores. The queue is the working directory, and paths are absolute.
pub fn restore(
    order: &Order,
    control: &Control,
    rights: &Rights,
    out: &mut impl Write,
) -> Result<Exit, Failure> {
    // Whoever calls us may have another; qmail-send has to read what qmailq owns.
    process::set_umask(0o022);
    let mut archive = Archive::open(&order.directory)?;
    let evidence = Evidence::read(&order.logs, control)?;
    let name = archive.name.clone();
    let mut placing = Placing::resume(rights, &name)?;
    // A number that an earlier run has used for another message says nothing of the one that had it once.
    let mut used: HashSet<MessageNumber> = placing.all_placed().map(|placed| placed.number).collect();
    let mut report = Report { lines: Vec::new(), json: order.json };
    while let Some(message) = archive.read_next()? {
        let noted = placing.settle(message.number, archive.text()?)?;
        let line = match noted {
            Some(Noted::Placed(placed)) => restored_before(&message, placed),
            Some(Noted::Present) => line(&message, Fate::Present),
            Some(Noted::Done) => line(&message, Fate::Done),
            None if !used.contains(&message.number) && is_present(&message, &mut archive, rights)? => {
                placing.pass_over(message.number, Noted::Present);
                line(&message, Fate::Present)
            }
            None => place(message, &mut archive, &evidence, &mut placing)?,
        };
        used.extend(match line.fate {
            Fate::Restored(number) => Some(number),
            _ => None,
        });
        report.lines.push(line);
        if placing.is_full() {
            placing.commit()?;
            report.print(out)?;
        }
    }
    placing.commit()?;
    report.print(out)?;
    out.flush().map_err(unwritten)?;
    tell_manager(&placing, rights)
}

/// What the logs say, and how the recipients of todo are found in them.
struct Evidence {
    log: DeliveryLog,
    routing: Routing,
}

impl Evidence {
    fn read(logs: &[PathBuf], control: &Control) -> Result<Evidence, Failure> {
        let mut evidence = Evidence { log: DeliveryLog::default(), routing: Routing::default() };
        if logs.is_empty() {
            return Ok(evidence);
        }
        evidence.routing = Settings::read(control)?.read_routing(control)?;
        for path in logs {
            for path in files_of_log(path).map_err(unable_to_read(path))? {
                let log = file::open_read_no_follow(&path).map_err(unable_to_read(&path))?;
                evidence.log.read(BufReader::new(log)).map_err(unable_to_read(&path))?;
            }
        }
        Ok(evidence)
    }
}

/// A file by itself; of a log directory its files by age: `@…`, then `current`.
fn files_of_log(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let is_log = |name: &[u8]| name.starts_with(b"@") || name == b"current";
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if is_log(entry.file_name().as_encoded_bytes()) && entry.file_type()?.is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

fn line(message: &Message, fate: Fate) -> Line {
    Line { message: message.number, fate, may_repeat: Vec::new(), may_bounce_again: None }
}

/// That run may have had no log: whoever waited then is in doubt.
fn restored_before(message: &Message, placed: Placed) -> Line {
    let may_bounce_again = message.is_bouncing().then(|| message.sender().to_vec());
    let may_repeat = message.waiting();
    Line { may_repeat, may_bounce_again, ..line(message, Fate::RestoredBefore(placed.number)) }
}

/// Whether the queue is the one that the snapshot was taken of, and still has the message: the same text under the same
/// number, to the byte.
fn is_present(message: &Message, archive: &mut Archive, rights: &Rights) -> Result<bool, Failure> {
    let number = message.number;
    let unable = |error| Failure::temporary(format!("unable to read message {number}")).because(&error);
    let looked = rights.as_qmails(|| look(number).map_err(unable))?;
    match looked {
        Look::Whole(found, text) if found.size == message.size => {
            is_same_text(text, archive.text()?).map_err(unable)
        }
        _ => Ok(false),
    }
}

/// Puts what is left of a message into the batch.
fn place(
    mut message: Message,
    archive: &mut Archive,
    evidence: &Evidence,
    placing: &mut Placing<'_>,
) -> Result<Line, Failure> {
    let known = evidence.log.evidence(&message, &archive.beginning(BEGINNING)?);
    if !known.apply(&mut message, &evidence.routing) {
        placing.pass_over(message.number, Noted::Done);
        return Ok(line(&message, Fate::Done));
    }
    let number = placing.add(&message, archive.text()?)?;
    let may_repeat = if known.leaves_doubt() { message.waiting() } else { Vec::new() };
    let was_told = message.is_bouncing() && known.leaves_doubt() || known.has_bounced();
    let may_bounce_again = was_told.then(|| message.sender().to_vec());
    Ok(Line { may_repeat, may_bounce_again, ..line(&message, Fate::Restored(number)) })
}

/// So much of a text shows who queued it.
const BEGINNING: u64 = 64;

/// The lines of messages that are not in the queue yet; they are printed once they are.
struct Report {
    lines: Vec<Line>,
    json: bool,
}

impl Report {
    fn print(&mut self, out: &mut impl Write) -> Result<(), Failure> {
        for line in self.lines.drain(..) {
            let text = if self.json { (line.json() + "\n").into_bytes() } else { line.text() };
            out.write_all(&text).map_err(unwritten)?;
        }
        Ok(())
    }
}

/// qmail-send looks into todo by itself, but of what is preprocessed it has to be told, unless it starts later.
fn tell_manager(placing: &Placing<'_>, rights: &Rights) -> Result<Exit, Failure> {
    let is_preprocessed = |placed: Placed| placed.is_preprocessed.then_some(placed.number);
    let preprocessed: Vec<MessageNumber> = placing.all_placed().filter_map(is_preprocessed).collect();
    let connected = rights.as_qmails(|| {
        trigger::pull();
        QueueManager::connect()
    })?;
    let Some(mut manager) = connected else {
        if !preprocessed.is_empty() {
            let text =
                "qmail-queuectl: info: qmail-send cannot be reached; it finds the messages when it starts";
            descriptor::write_error_line(&[text.as_bytes()]);
        }
        return Ok(Exit::SUCCESS);
    };
    let answers = manager.ask_all(Action::Load, &preprocessed)?;
    // A number of an earlier run may be another message's by now, in whatever state: that is none of our business.
    if answers.contains(&Answer::Trouble) {
        return Err(Failure::temporary(
            "qmail-send had trouble with a file of a restored message, see its log",
        ));
    }
    Ok(Exit::SUCCESS)
}

fn unable_to_read(path: &Path) -> impl Fn(io::Error) -> Failure {
    let path = path.to_owned();
    move |error| super::refused(&format!("unable to read {}", path.display()), &error)
}
