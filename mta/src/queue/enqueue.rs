//! `qmail-queue` puts one message into the queue.
//!
//! Reads    fd 0: the message, to its end; then fd 1: the envelope; control/{conf-split, queueextra}.
//! Writes   mess, intd, todo; pulls the trigger.
//! Runs as  qmailq (setuid); anybody may run it.   Trusts  nobody: neither environment, nor limits, nor descriptors.
//! Exits    0 when the message and the names that lead to it are on disk; else see `EnqueueError`.
//! Manual   qmail-queue(8).    Next in the flow: send.

use super::enqueue_error::EnqueueError;
use super::envelope::{self, EnvelopeDecoder};
use super::input::Input;
use super::layout::{self, Kind, MessageNumber};
use super::mess::{self, Step, is_taken};
use super::trigger;
use crate::control::Control;
use crate::message::date;
use crate::setup::home::{Home, Role};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};
use unix::descriptor;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::signal::{self, Signal};
use unix::stamp::Stamp;
use unix::{account, file, process};

/// After this a stray file in the queue has no living writer; the collector waits 36 hours.
const TIME_LIMIT: Duration = Duration::from_hours(24);
const BUFFER: usize = 16 * 1024;

/// The program's entry. It prints nothing: the exit status is the interface.
pub fn main(_: &Invocation) -> Result<Exit, Failure> {
    prepare_process();
    match enqueue() {
        Ok(()) => Ok(Exit::SUCCESS),
        Err(error) => Err(Failure::silent(Exit(error as u8))),
    }
}

/// The caller may have prepared signals and the umask against us.
fn prepare_process() {
    signal::exit_on_fault(EnqueueError::Crashed as u8);
    signal::unblock_all();
    let harmless = [
        Signal::SIGPIPE,
        Signal::SIGVTALRM,
        Signal::SIGPROF,
        Signal::SIGQUIT,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGXCPU,
        // A file size limit becomes a write error, which is cleaned up after.
        Signal::SIGXFSZ,
        Signal::SIGALRM,
    ];
    harmless.into_iter().for_each(signal::ignore);
    process::set_umask(0o033);
}

fn enqueue() -> Result<(), EnqueueError> {
    let home = Home::of_this_program().map_err(|_| EnqueueError::HomeDirectory)?;
    std::env::set_current_dir(home.path()).map_err(|_| EnqueueError::HomeDirectory)?;
    let control = Control::new(home.control());
    layout::use_split_of(&control).map_err(|_| EnqueueError::Configuration)?;
    let extra = control.list("queueextra").map_err(|_| EnqueueError::Configuration)?.unwrap_or_default();
    let extra = envelope::extra_recipients(&extra)?;
    std::env::set_current_dir("queue").map_err(|_| EnqueueError::QueueDirectory)?;
    let received = received_line(&home)?;
    let mut draft = Draft::create()?;
    let written = draft.write(&received, &extra);
    if written.is_err() {
        draft.remove();
    }
    written
}

/// `Received: (qmail PID invoked WHO); DATE`: the trace that qmail-queue itself leaves.
fn received_line(home: &Home) -> Result<Vec<u8>, EnqueueError> {
    let pid = process::own_pid();
    let date = date::rfc5322(Stamp::now().seconds);
    Ok(format!("Received: (qmail {pid} invoked {}); {date}\n", invoked_by(home)?).into_bytes())
}

fn invoked_by(home: &Home) -> Result<String, EnqueueError> {
    let uid = account::real_uid();
    let by_uid = format!("by uid {uid}");
    if home.is_single_user() {
        return Ok(by_uid);
    }
    let caller = account::name_in_file(uid, Path::new(account::FILE)).map_err(|_| EnqueueError::Account)?;
    let is = |role: Role| caller.as_deref() == Some(role.name().as_bytes());
    Ok(match () {
        () if is(Role::Alias) => "by alias".to_owned(),
        () if is(Role::Qmaild) => "from network".to_owned(),
        () if is(Role::Qmails) => "for bounce".to_owned(),
        () => by_uid,
    })
}

/// A message that is not queued yet: the files that it has so far.
struct Draft {
    number: MessageNumber,
    mess: File,
    has_intd: bool,
    /// Whether the files have to stay although the message is not queued: the collector takes them later.
    stays: bool,
}

impl Draft {
    /// S1→S2: makes the mess file, whose inode number names the message.
    fn create() -> Result<Draft, EnqueueError> {
        let (number, mess) = mess::create().map_err(|(step, _)| match step {
            Step::PidFile => EnqueueError::PidFile,
            Step::Link => EnqueueError::LinkToMess,
        })?;
        Ok(Draft { number, mess, has_intd: false, stays: false })
    }

    fn write(&mut self, received: &[u8], extra: &[u8]) -> Result<(), EnqueueError> {
        let deadline = Instant::now().checked_add(TIME_LIMIT);
        let mut input = Input::new(0, descriptor::input(), deadline);
        self.write_message(received, &mut input)?;
        let intd = file::create_new(&Kind::Intd.path(self.number), 0o644).map_err(|error| {
            self.stays = is_taken(&error);
            EnqueueError::CreateIntd
        })?;
        self.has_intd = true;
        let mut input = Input::new(1, descriptor::output(), deadline);
        write_envelope(&intd, &mut input, extra)?;
        self.commit(&intd)
    }

    fn write_message(&mut self, received: &[u8], input: &mut Input) -> Result<(), EnqueueError> {
        self.mess.write_all(received).map_err(|_| EnqueueError::Write)?;
        let mut buffer = vec![0; BUFFER];
        while let Some(piece) = input.read(&mut buffer)? {
            self.mess.write_all(piece).map_err(|_| EnqueueError::Write)?;
        }
        Ok(())
    }

    /// S3→S4: from here on the message is accepted.
    ///
    /// The contents and the name in mess are on disk before the name in todo is made, so whatever todo
    /// shows after a power cut is whole; the name in todo is on disk before we say that all is well.
    fn commit(&mut self, intd: &File) -> Result<(), EnqueueError> {
        let mess_directory = Kind::Mess.path(self.number);
        let mess_directory = mess_directory.parent().unwrap_or(Path::new("."));
        let directory = File::open(mess_directory).map_err(|_| EnqueueError::Write)?;
        // Opened while nothing is promised: there may be no descriptor for it.
        let todo = File::open(Kind::Todo.directory()).map_err(|_| EnqueueError::LinkToTodo)?;
        let synced = file::sync_together(&[&self.mess, intd, &directory]);
        synced.into_iter().collect::<io::Result<()>>().map_err(|_| EnqueueError::Write)?;
        fs::hard_link(Kind::Intd.path(self.number), Kind::Todo.path(self.number)).map_err(|error| {
            self.stays = is_taken(&error);
            EnqueueError::LinkToTodo
        })?;
        if todo.sync_all().is_err() {
            // The caller will keep the message, so ours must not be delivered, unless qmail-send has it
            // already; then there are two, which is better than none. It may be reading it: nothing else goes.
            let _ = fs::remove_file(Kind::Todo.path(self.number));
            self.stays = true;
            return Err(EnqueueError::LinkToTodo);
        }
        trigger::pull();
        Ok(())
    }

    /// S3→S1: takes back what was made. The envelope goes first: without it nobody looks at the message.
    fn remove(&self) {
        if self.stays {
            return;
        }
        if self.has_intd && fs::remove_file(Kind::Intd.path(self.number)).is_err() {
            return;
        }
        let _ = fs::remove_file(Kind::Mess.path(self.number));
    }
}

/// The envelope, with the extra recipients behind the sender.
fn write_envelope(mut intd: &File, input: &mut Input, extra: &[u8]) -> Result<(), EnqueueError> {
    let mut put = |bytes: &[u8]| intd.write_all(bytes).map_err(|_| EnqueueError::Write);
    put(&envelope::origin(account::real_uid(), process::own_pid().as_raw()))?;
    let mut decoder = EnvelopeDecoder::new();
    let mut buffer = vec![0; BUFFER];
    let mut before_sender_ends = true;
    while !decoder.is_complete() {
        let mut piece = input.read(&mut buffer)?.ok_or(EnqueueError::Read)?;
        if before_sender_ends && let Some(end) = memchr::memchr(0, piece) {
            let (sender, rest) = piece.split_at_checked(end.saturating_add(1)).unwrap_or((piece, b""));
            put(decoder.push(sender)?)?;
            put(extra)?;
            before_sender_ends = false;
            piece = rest;
        }
        put(decoder.push(piece)?)?;
    }
    Ok(())
}
