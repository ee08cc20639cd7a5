//! `qmail-queuectl` lists messages of the queue, and has qmail-send hold, release, retry, expire or remove them.
//!
//! Reads    the queue; answers of qmail-send.      Writes  fd 1: a line for each message; requests to qmail-send.
//! Runs as  root or qmails.   Trusts  nobody: it changes nothing itself.
//! Exits    0 · 100 used wrongly, not allowed, or a message that was named is not in the queue · 111 the queue
//!          cannot be read, or qmail-send does not run, or had trouble with a message.
//! Manual   qmail-queuectl(8).    Next in the flow: send::orders.

pub mod request;
pub mod selection;

use super::layout::{Kind, MessageNumber, QUEUECTL_SOCKET};
use super::listing;
use super::qread;
use crate::setup::home::Home;
use request::{Action, Answer, Request};
use selection::{Pattern, Selection, parse_age};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use unix::clock::Now;
use unix::descriptor;
use unix::failure::Failure;
use unix::number;
use unix::program::{Exit, Invocation};

const USAGE: &str = "qmail-queuectl { list [ --json ] | hold | release | retry | expire | remove } \
[ -aH ] [ -s sender ] [ -r recipient ] [ -h host ] [ -o age ] [ -y age ] [ message ... ]";
const OPTIONS: &str = "aHs:r:h:o:y:";

/// Requests that are sent before their answers are read: neither side's buffers are ever full.
const WINDOW: usize = 256;
/// How long qmail-send may be busy with something else.
const PATIENCE: Duration = Duration::from_secs(300);

/// What was asked for.
enum Verb {
    List { json: bool },
    Do(Action),
}

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let (verb, selection) = parse(invocation)?;
    let home = Home::of_this_program()?;
    std::env::set_current_dir(home.queue()).map_err(|error| refused("unable to enter the queue", &error))?;
    let mut out = BufWriter::new(descriptor::output());
    let exit = match verb {
        Verb::List { json } => list(&selection, json, &mut out),
        Verb::Do(action) => carry_out(action, &selection, &mut out),
    };
    out.flush().map_err(unwritten)?;
    exit
}

fn parse(invocation: &Invocation) -> Result<(Verb, Selection), Failure> {
    let usage = || Failure::usage(USAGE);
    let (verb, rest) = match invocation.arguments.as_slice() {
        [list, json, rest @ ..] if list == b"list" && json == b"--json" => (Verb::List { json: true }, rest),
        [list, rest @ ..] if list == b"list" => (Verb::List { json: false }, rest),
        [word, rest @ ..] => (Verb::Do(Action::parse(word).ok_or_else(usage)?), rest),
        [] => return Err(usage()),
    };
    let words = Invocation {
        name: invocation.name,
        called_as: invocation.called_as.clone(),
        arguments: rest.to_vec(),
    };
    let selection = parse_selection(&words)?;
    if matches!(verb, Verb::Do(_)) && selection.is_empty() {
        return Err(Failure::verbatim(
            Exit::PERMANENT,
            "qmail-queuectl: usage: say which messages are meant: numbers, conditions, or -a for all",
        ));
    }
    Ok((verb, selection))
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

fn unwritten(error: io::Error) -> Failure {
    Failure::temporary("unable to write to standard output").because(&error)
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
    let mut manager = QueueManager::connect()?;
    let mut messages: Vec<MessageNumber> = Vec::new();
    match selection.only_numbers() {
        Some(numbers) if !selection.all => messages.extend(numbers),
        _ => each_selected(selection, |entry| {
            messages.push(entry.message);
            Ok(())
        })?,
    }
    let mut exit = Exit::SUCCESS;
    for window in messages.chunks(WINDOW) {
        for (message, answer) in window.iter().zip(manager.ask(action, window)?) {
            writeln!(out, "{message}: {}", in_words(action, answer)).map_err(unwritten)?;
            exit = worse(exit, status(answer, selection.numbers.contains(message)));
        }
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

/// The connection to qmail-send.
struct QueueManager {
    stream: BufReader<UnixStream>,
}

impl QueueManager {
    fn connect() -> Result<QueueManager, Failure> {
        let stream = UnixStream::connect(QUEUECTL_SOCKET).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                Failure::temporary("unable to reach qmail-send: it does not run, or cannot be controlled")
            }
            _ => refused("unable to reach qmail-send", &error),
        })?;
        let limited =
            stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
        limited.map_err(|error| Failure::temporary("unable to reach qmail-send").because(&error))?;
        Ok(QueueManager { stream: BufReader::new(stream) })
    }

    /// One answer for each message, in order.
    fn ask(&mut self, action: Action, messages: &[MessageNumber]) -> Result<Vec<Answer>, Failure> {
        let lost = |error| Failure::temporary("lost the connection to qmail-send").because(&error);
        let lines = messages.iter().map(|message| Request { action, message: *message }.encode());
        self.stream.get_mut().write_all(lines.collect::<String>().as_bytes()).map_err(lost)?;
        let mut answers = Vec::with_capacity(messages.len());
        for _ in messages {
            let mut line = Vec::new();
            self.stream.read_until(b'\n', &mut line).map_err(lost)?;
            let answer = line.strip_suffix(b"\n").and_then(Answer::decode);
            answers.push(answer.ok_or_else(|| lost(io::ErrorKind::UnexpectedEof.into()))?);
        }
        Ok(answers)
    }
}
