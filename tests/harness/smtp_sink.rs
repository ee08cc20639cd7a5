//! An SMTP server that takes every message, from any number of clients at once, and keeps what it took.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The server. It ends when it is dropped.
pub struct SmtpSink {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    taken: Mutex<Vec<Taken>>,
    is_busy: AtomicBool,
    is_silent: AtomicBool,
    has_ended: AtomicBool,
}

/// A message that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// All recipients.
    pub recipients: Vec<String>,
    /// The text, with LF at the end of each line.
    pub text: String,
}

impl SmtpSink {
    /// A server on a port of 127.0.0.1.
    pub fn start() -> io::Result<SmtpSink> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let sink = SmtpSink { address, shared: Arc::clone(&shared) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.has_ended.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&shared);
                // A client that breaks off has sent nothing.
                std::thread::spawn(move || converse(&stream, &shared));
            }
        });
        Ok(sink)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Puts off whoever has a recipient whose name begins with `later`, or takes them again.
    pub fn set_busy(&self, is_busy: bool) {
        self.shared.is_busy.store(is_busy, Ordering::SeqCst);
    }

    /// Greets nobody until it is told otherwise.
    pub fn be_silent(&self, is_silent: bool) {
        self.shared.is_silent.store(is_silent, Ordering::SeqCst);
    }

    /// What `control/smtproutes` has to be for all remote mail to come here.
    pub fn route(&self) -> String {
        format!(":127.0.0.1:{}\n", self.port())
    }

    /// The texts of what came so far.
    pub fn texts(&self) -> Vec<String> {
        let taken = self.shared.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.iter().map(|taken| taken.text.clone()).collect()
    }

    /// Takes them.
    pub fn take_texts(&self) -> Vec<String> {
        self.take().into_iter().map(|taken| taken.text).collect()
    }

    /// Takes what came so far.
    pub fn take(&self) -> Vec<Taken> {
        std::mem::take(&mut *self.shared.taken.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for SmtpSink {
    fn drop(&mut self) {
        self.shared.has_ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

fn converse(stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    let mut writer = stream;
    let mut reader = BufReader::new(stream);
    let mut recipients = Vec::new();
    while shared.is_silent.load(Ordering::SeqCst) && !shared.has_ended.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(10));
    }
    writer.write_all(b"220 sink\r\n")?;
    loop {
        let line = line(&mut reader)?;
        let verb = line.to_ascii_uppercase();
        if let Some(recipient) = verb.strip_prefix("RCPT TO:<") {
            if recipient.starts_with("LATER") && shared.is_busy.load(Ordering::SeqCst) {
                writer.write_all(b"451 later\r\n")?;
            } else {
                recipients.push(line["RCPT TO:<".len()..].trim_end_matches('>').to_owned());
                writer.write_all(b"250 ok\r\n")?;
            }
        } else if verb == "DATA" && recipients.is_empty() {
            writer.write_all(b"554 nobody\r\n")?;
        } else if verb == "DATA" {
            writer.write_all(b"354 go ahead\r\n")?;
            let text = message(&mut reader)?;
            let taken = Taken { recipients: std::mem::take(&mut recipients), text };
            shared.taken.lock().unwrap_or_else(PoisonError::into_inner).push(taken);
            writer.write_all(b"250 taken\r\n")?;
        } else if verb == "QUIT" {
            writer.write_all(b"221 bye\r\n")?;
            return stream.shutdown(Shutdown::Both);
        } else {
            writer.write_all(b"250 ok\r\n")?;
        }
    }
}

fn message(reader: &mut impl BufRead) -> io::Result<String> {
    let mut text = String::new();
    loop {
        let line = line(reader)?;
        if line == "." {
            return Ok(text);
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
        text.push('\n');
    }
}

/// A whole line, without its CR LF. The end of the connection is an error.
fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    line.strip_suffix("\r\n").map(str::to_owned).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}
