//! Handing a message to `qmail-queue`: the only way into the queue for everybody but qmail-send.
//!
//! The program (`HOME/bin/qmail-queue`, or the one that the variable QMAILQUEUE names, relative to HOME)
//! reads the message from descriptor 0 and the envelope from descriptor 1; a replacement may write a text
//! to descriptor 6. Only exit status 0 means that the message is on disk.

use super::enqueue_error::{EnqueueError, Refusal};
use crate::setup::home::Home;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::Mutex;
use unix::descriptor;
use unix::environment::{self, Environment};
use unix::exec::{self, Search};
use unix::fork_server::{Call, Copy, KeptProgram, Parent};
use unix::process::{self, Ended, Pid};
use unix::signal::{self, Signal};

/// Longest text that is taken from descriptor 6.
const CUSTOM_TEXT_LIMIT: u64 = 255;
const BUFFER: usize = 16 * 1024;
const COPY_BUFFER: usize = 64 * 1024;
/// Names a program in place of ours.
const VARIABLE: &str = "QMAILQUEUE";

/// Our qmail-queue, if this program hands over so many messages that it keeps one; see [`keep_program`].
static KEPT: Mutex<Option<KeptProgram>> = Mutex::new(None);

/// Keeps a qmail-queue whose copies take the messages of this process and of its children.
pub fn keep_program() {
    let Ok(home) = Home::of_this_program() else { return };
    if let Ok(mut kept) = KEPT.lock() {
        kept.get_or_insert_with(|| KeptProgram::new(home.program("qmail-queue"))).keep(|| Ok(()));
    }
}

/// A message on its way into the queue: first its text, then (after [`envelope`](Submission::envelope)) its envelope.
pub struct Submission {
    queue: Queue,
    message: Pipe,
    envelope: Pipe,
    custom_text: File,
}

/// The qmail-queue that takes a message.
enum Queue {
    Child(Pid),
    Copy(Copy),
}

impl Submission {
    /// Starts qmail-queue. SIGPIPE is ignored from here on: a queue that goes away is an answer.
    ///
    /// # Errors
    /// No pipe or no process could be had; temporary.
    pub fn start(home: &Home) -> io::Result<Submission> {
        signal::ignore(Signal::SIGPIPE);
        let (message_reader, message_writer) = descriptor::pipe()?;
        let (envelope_reader, envelope_writer) = descriptor::pipe()?;
        let (text_reader, text_writer) = descriptor::pipe()?;
        let wanted = [(message_reader.as_fd(), 0), (envelope_reader.as_fd(), 1), (text_writer.as_fd(), 6)];
        let queue = match call_kept(&wanted) {
            Some(copy) => Queue::Copy(copy),
            None => Queue::Child(process::fork(|| run_queue_program(home, &wanted))?),
        };
        Ok(Submission {
            queue,
            message: Pipe::new(message_writer),
            envelope: Pipe::new(envelope_writer),
            custom_text: File::from(text_reader),
        })
    }

    /// The process number of qmail-queue: the `qp` of logs and replies.
    pub fn pid(&self) -> Pid {
        match &self.queue {
            Queue::Child(pid) => *pid,
            Queue::Copy(copy) => copy.pid(),
        }
    }

    /// Adds to the message. After a failure, of which [`close`](Envelope::close) tells, nothing is written any more.
    pub fn put(&mut self, bytes: &[u8]) {
        self.message.put(bytes);
    }

    /// Adds all that can be read.
    ///
    /// # Errors
    /// It cannot be read to its end; the submission is to be [abandoned](Submission::abandon).
    pub fn copy(&mut self, from: &mut impl Read) -> io::Result<()> {
        let mut buffer = vec![0; COPY_BUFFER];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(length) => self.put(buffer.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Makes the submission fail: the envelope is never completed, so nothing is queued.
    pub fn abandon(&mut self) {
        self.message.failed = true;
    }

    /// Ends the message and begins the envelope.
    pub fn envelope(mut self, sender: &[u8]) -> Envelope {
        self.message.flush();
        self.envelope.failed = self.message.failed;
        drop(self.message);
        let mut envelope = Envelope { queue: self.queue, pipe: self.envelope, custom_text: self.custom_text };
        envelope.record(b'F', sender);
        envelope
    }
}

/// The envelope of a message whose text is complete.
pub struct Envelope {
    queue: Queue,
    pipe: Pipe,
    custom_text: File,
}

impl Envelope {
    /// Adds a recipient.
    pub fn recipient(&mut self, address: &[u8]) {
        self.record(b'T', address);
    }

    /// An address with a NUL would be cut, or become two records; such a submission fails.
    fn record(&mut self, letter: u8, address: &[u8]) {
        if address.contains(&0) {
            self.pipe.failed = true;
        }
        for part in [&[letter][..], address, &[0]] {
            self.pipe.put(part);
        }
    }

    /// Makes the submission fail: nothing is queued.
    pub fn abandon(&mut self) {
        self.pipe.failed = true;
    }

    /// Completes the envelope and waits for the answer. `Ok` means that the message is in the queue, on disk.
    pub fn close(mut self) -> Result<(), Refusal> {
        self.pipe.put(&[0]);
        self.pipe.flush();
        let failed = self.pipe.failed;
        drop(self.pipe);
        let custom = read_custom_text(&self.custom_text);
        match self.queue.status()? {
            0 if !failed => Ok(()),
            0 => Err(Refusal::read_error()),
            code => Err(Refusal::from_exit(code, &custom)),
        }
    }
}

impl Queue {
    /// Waits for its end: its exit status.
    fn status(self) -> Result<u8, Refusal> {
        match self {
            Queue::Copy(copy) => copy.wait().ok_or_else(Refusal::crashed),
            Queue::Child(pid) => match process::wait_for(pid) {
                Ok(Ended::Exited(code)) => Ok(code),
                Ok(Ended::Killed { .. }) => Err(Refusal::crashed()),
                Err(_) => Err(Refusal::unknown_end()),
            },
        }
    }
}

/// Reads to the end, so that the writer is never stopped by a full pipe, and keeps the beginning.
fn read_custom_text(mut pipe: &File) -> Vec<u8> {
    let mut text = Vec::new();
    let _ = pipe.take(CUSTOM_TEXT_LIMIT).read_to_end(&mut text);
    let _ = io::copy(&mut pipe, &mut io::sink());
    text
}

/// The writing end of one pipe, with a buffer. The first failure is remembered and ends all writing.
struct Pipe {
    file: File,
    buffer: Vec<u8>,
    failed: bool,
}

impl Pipe {
    fn new(descriptor: OwnedFd) -> Pipe {
        Pipe { file: File::from(descriptor), buffer: Vec::new(), failed: false }
    }

    fn put(&mut self, bytes: &[u8]) {
        if self.failed {
            return;
        }
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if !self.failed {
            self.failed = self.file.write_all(&self.buffer).is_err();
        }
        self.buffer.clear();
    }
}

/// What qmail-queue gets: descriptors, and their numbers.
type Wanted<'a> = [(BorrowedFd<'a>, RawFd); 3];

/// Lets the qmail-queue that is kept copy itself; `None` if there is none, or another program is wanted.
fn call_kept(wanted: &Wanted) -> Option<Copy> {
    if environment::get(VARIABLE).is_some() {
        return None;
    }
    let kept = KEPT.lock().ok()?;
    let call = Call {
        arguments: Vec::new(),
        environment: None,
        identity: None,
        descriptors: wanted,
        parent: Parent::Server,
    };
    kept.as_ref()?.call_if_kept(&call)
}

/// The child: pipes in place, HOME as working directory, then the program.
fn run_queue_program(home: &Home, wanted: &Wanted) -> u8 {
    if descriptor::place_all(wanted).is_err() {
        return EnqueueError::NotRun as u8;
    }
    if std::env::set_current_dir(home.path()).is_err() {
        return EnqueueError::HomeDirectory as u8;
    }
    signal::default(Signal::SIGPIPE);
    let own = || home.program("qmail-queue").as_os_str().as_bytes().to_vec();
    let program = environment::get(VARIABLE).unwrap_or_else(own);
    let _ = exec::exec(&[program], &Environment::inherited(), Search::Direct);
    EnqueueError::NotRun as u8
}
