//! `qmail-queuectl` lists messages of the queue, has qmail-send hold, release, retry, expire or remove them, and takes and
//! restores snapshots.
//!
//! Reads    the queue; answers of qmail-send; a snapshot; logs.
//! Writes   fd 1: a line for each message; requests to qmail-send; a snapshot, or new messages from one.
//! Runs as  root or qmails.   Trusts  nobody: it changes no message that is in the queue.
//! Exits    0 · 100 used wrongly, not allowed, or a message that was named is not in the queue · 111 the queue
//!          cannot be read, or qmail-send does not run, or had trouble with a message.
//! Manual   qmail-queuectl(8).    Next in the flow: send::orders.

pub mod manager;
pub mod request;
pub mod selection;

use super::layout::{self, Kind, MessageNumber};
use super::listing;
use super::qread;
use super::snapshot::restore::{self, Order};
use super::snapshot::rights::Rights;
use super::snapshot::{take, unwritten};
use crate::control::Control;
use crate::setup::home::Home;
use manager::QueueManager;
use request::{Action, Answer};
use selection::{Pattern, Selection, parse_age};
use std::ffi::OsStr;
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{self, Path, PathBuf};
use unix::clock::Now;
use unix::descriptor;
use unix::failure::Failure;
use unix::number;
use unix::program::{Exit, Invocation};

const USAGE: &str = "qmail-queuectl { list [ --json ] | hold | release | retry | expire | remove } \
[ -aH ] [ -s sender ] [ -r recipient ] [ -h host ] [ -o age ] [ -y age ] [ message ... ] | \
snapshot directory | restore [ --json ] directory [ log ... ]";
const OPTIONS: &str = "aHs:r:h:o:y:";

/// What was asked for.
enum Verb {
    List { json: bool, selection: Selection },
    Do { action: Action, selection: Selection },
    Snapshot(PathBuf),
    Restore(Order),
}

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let verb = parse(invocation)?;
    let home = Home::of_this_program()?;
    let control = Control::new(home.control());
    layout::use_split_of(&control)?;
    std::env::set_current_dir(home.queue()).map_err(|error| refused("unable to enter the queue", &error))?;
    let mut out = BufWriter::new(descriptor::output());
    let exit = match verb {
        Verb::List { json, selection } => list(&selection, json, &mut out),
        Verb::Do { action, selection } => carry_out(action, &selection, &mut out),
        Verb::Snapshot(directory) => take::take(&directory, &Rights::of_this_process(&home)?, &mut out),
        Verb::Restore(order) => {
            restore::restore(&order, &control, &Rights::of_this_process(&home)?, &mut out)
        }
    };
    out.flush().map_err(unwritten)?;
    exit
}

fn parse(invocation: &Invocation) -> Result<Verb, Failure> {
    let usage = || Failure::usage(USAGE);
    let selection = |rest: &[Vec<u8>]| {
        let (name, called_as) = (invocation.name, invocation.called_as.clone());
        parse_selection(&Invocation { name, called_as, arguments: rest.to_vec() })
    };
    let (word, rest) = invocation.arguments.split_first().ok_or_else(usage)?;
    let (json, operands) = match rest.split_first() {
        Some((first, others)) if first == b"--json" => (true, others),
        _ => (false, rest),
    };
    match (word.as_slice(), operands) {
        (b"list", _) => Ok(Verb::List { json, selection: selection(operands)? }),
        (b"snapshot", [directory]) if !json => Ok(Verb::Snapshot(absolute(directory)?)),
        (b"restore", [directory, logs @ ..]) => {
            let logs = logs.iter().map(|log| absolute(log)).collect::<Result<_, _>>()?;
            Ok(Verb::Restore(Order { directory: absolute(directory)?, logs, json }))
        }
        (word, _) => {
            let action = Action::parse(word).filter(|action| *action != Action::Load).ok_or_else(usage)?;
            let selection = selection(rest)?;
            if selection.is_empty() {
                return Err(Failure::verbatim(
                    Exit::PERMANENT,
                    "qmail-queuectl: usage: say which messages are meant: numbers, conditions, or -a for all",
                ));
            }
            Ok(Verb::Do { action, selection })
        }
    }
}

/// The path of an operand, which is meant as seen from where we were called. One like an option is a mistake.
fn absolute(operand: &[u8]) -> Result<PathBuf, Failure> {
    if operand.is_empty() || operand.starts_with(b"-") {
        return Err(Failure::usage(USAGE));
    }
    let unable = |error| Failure::temporary("unable to find the working directory").because(&error);
    path::absolute(Path::new(OsStr::from_bytes(operand))).map_err(unable)
}

fn parse_selection(words: &Invocation) -> Result<Selection, Failure> {
    let usage = || Failure::usage(USAGE);
    let mut selection = Selection::default();
    let mut options = words.options(OPTIONS);
    while let Some(option) = options.next_option().map_err(|error| error.with_usage(USAGE))? {
        let age = || parse_age(&option.argument).ok_or_else(usage);
        match option.letter {
            b'a' => selection.all = true,
            b'H' => selection.held = true,
            b's' => selection.sender = Some(Pattern(option.argument)),
            b'r' => selection.recipient = Some(Pattern(option.argument)),
            b'h' => selection.host = Some(option.argument),
            b'o' => selection.older = Some(age()?),
            b'y' => selection.younger = Some(age()?),
            _ => return Err(usage()),
        }
    }
    for operand in options.operands() {
        let digits = operand.strip_prefix(b"#").unwrap_or(operand);
        selection.numbers.insert(number::whole(digits).map(MessageNumber).ok_or_else(usage)?);
    }
    Ok(selection)
}

/// Who may not look into the queue may not control it either, and trying again will not help.
fn refused(what: &str, error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::PermissionDenied {
        return Failure::permanent(format!(
            "{what}: permission denied: only root and qmails may control the queue"
        ));
    }
    Failure::temporary(what).because(error)
}

fn list(selection: &Selection, json: bool, out: &mut impl Write) -> Result<Exit, Failure> {
    each_selected(selection, |entry| {
        let text = if json { (entry.json() + "\n").into_bytes() } else { qread::text(entry) };
        out.write_all(&text).map_err(unwritten)
    })?;
    Ok(Exit::SUCCESS)
}

/// Looks through the queue. Messages that were named are looked at alone.
fn each_selected(
    selection: &Selection,
    mut found: impl FnMut(&listing::Entry) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let now = u64::try_from(Now::read().wall).unwrap_or(0);
    let mut consider = |message: MessageNumber| {
        let unable = |error| refused(&format!("unable to read message {message}"), &error);
        match listing::look(message).map_err(unable)? {
            Some(entry) if selection.matches(&entry, now) => found(&entry),
            _ => Ok(()),
        }
    };
    if !selection.numbers.is_empty() {
        return selection.numbers.iter().try_for_each(|message| consider(*message));
    }
    for directory in Kind::Info.directories() {
        let messages = listing::numbers(&directory)
            .map_err(|error| refused(&format!("unable to read {}", directory.display()), &error))?;
        messages.into_iter().try_for_each(&mut consider)?;
    }
    Ok(())
}

/// Asks qmail-send, and prints what it answers, a line for each message.
fn carry_out(action: Action, selection: &Selection, out: &mut impl Write) -> Result<Exit, Failure> {
    let unreachable =
        || Failure::temporary("unable to reach qmail-send: it does not run, or cannot be controlled");
    let mut manager = QueueManager::connect()?.ok_or_else(unreachable)?;
    let mut messages: Vec<MessageNumber> = Vec::new();
    match selection.only_numbers() {
        Some(numbers) if !selection.all => messages.extend(numbers),
        _ => each_selected(selection, |entry| {
            messages.push(entry.message);
            Ok(())
        })?,
    }
    let mut exit = Exit::SUCCESS;
    for (message, answer) in messages.iter().zip(manager.ask_all(action, &messages)?) {
        writeln!(out, "{message}: {}", in_words(action, answer)).map_err(unwritten)?;
        exit = worse(exit, status(answer, selection.numbers.contains(message)));
    }
    Ok(exit)
}

/// The answers as an administrator reads them.
fn in_words(action: Action, answer: Answer) -> &'static str {
    match (action, answer) {
        (Action::Hold, Answer::Done) => "held",
        (Action::Release, Answer::Done) => "released",
        (Action::Retry, Answer::Done) => "due now",
        (Action::Retry, Answer::Begun) => "being delivered at this moment",
        (Action::Expire, Answer::Done) => "expired, the sender will be told",
        (Action::Remove, Answer::Done) => "removed",
        (Action::Load, Answer::Done | Answer::Begun) => "known",
        (Action::Hold, Answer::Begun) => "held; deliveries that run already will end",
        (Action::Expire, Answer::Begun) => "expires as soon as the running deliveries have reported",
        (Action::Remove, Answer::Begun) => "will be removed as soon as the running deliveries have reported",
        (Action::Release, Answer::Begun) => "released",
        (_, Answer::Gone) => "not in the queue",
        (_, Answer::NotYet) => "not changed: it is still being taken in; try again",
        (_, Answer::Held) => "not changed: it is held; release it first",
        (_, Answer::Trouble) => "trouble with a file of it, see the log; nothing is lost",
    }
}

/// A message that was selected by looking may be gone by now. That is news only if somebody named it.
fn status(answer: Answer, was_named: bool) -> Exit {
    match answer {
        Answer::Done | Answer::Begun => Exit::SUCCESS,
        Answer::Gone if !was_named => Exit::SUCCESS,
        Answer::Gone | Answer::Held => Exit::PERMANENT,
        Answer::NotYet | Answer::Trouble => Exit::TEMPORARY,
    }
}

fn worse(one: Exit, other: Exit) -> Exit {
    if one.0 >= other.0 { one } else { other }
}
