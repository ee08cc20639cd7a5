//! The connection to qmail-send, which carries out what qmail-queuectl asks.

use super::refused;
use super::request::{Action, Answer, Request};
use crate::queue::layout::{MessageNumber, QUEUECTL_SOCKET};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use unix::failure::Failure;

/// Requests that are sent before their answers are read: neither side's buffers are ever full.
const WINDOW: usize = 256;
/// How long qmail-send may be busy with something else.
const PATIENCE: Duration = Duration::from_secs(300);

/// The connection to qmail-send.
pub struct QueueManager {
    stream: BufReader<UnixStream>,
}

impl QueueManager {
    /// Connects; nothing if nobody listens. The queue is the working directory.
    pub fn connect() -> Result<Option<QueueManager>, Failure> {
        let stream = match UnixStream::connect(QUEUECTL_SOCKET) {
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) =>
            {
                return Ok(None);
            }
            connected => connected.map_err(|error| refused("unable to reach qmail-send", &error))?,
        };
        let limited =
            stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
        limited.map_err(|error| Failure::temporary("unable to reach qmail-send").because(&error))?;
        Ok(Some(QueueManager { stream: BufReader::new(stream) }))
    }

    /// One answer for each message, in order.
    pub fn ask_all(&mut self, action: Action, messages: &[MessageNumber]) -> Result<Vec<Answer>, Failure> {
        let mut answers = Vec::with_capacity(messages.len());
        for window in messages.chunks(WINDOW) {
            self.ask(action, window, &mut answers)?;
        }
        Ok(answers)
    }

    fn ask(
        &mut self,
        action: Action,
        messages: &[MessageNumber],
        answers: &mut Vec<Answer>,
    ) -> Result<(), Failure> {
        let lost = |error| Failure::temporary("lost the connection to qmail-send").because(&error);
        let lines = messages.iter().map(|message| Request { action, message: *message }.encode());
        self.stream.get_mut().write_all(lines.collect::<String>().as_bytes()).map_err(lost)?;
        for _ in messages {
            let mut line = Vec::new();
            self.stream.read_until(b'\n', &mut line).map_err(lost)?;
            let answer = line.strip_suffix(b"\n").and_then(Answer::decode);
            answers.push(answer.ok_or_else(|| lost(io::ErrorKind::UnexpectedEof.into()))?);
        }
        Ok(())
    }
}
