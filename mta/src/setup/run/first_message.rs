//! The first message: sent by SMTP as any client would, and found in the maildir.

use super::super::trouble;
use super::instance::Instance;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use unix::failure::Failure;

/// How long the message may take.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(10);

/// A message that was delivered.
pub struct Arrived {
    /// Its file in the maildir.
    pub path: PathBuf,
    /// The file's text.
    pub text: String,
}

/// Sends a message to the mailbox of the instance and waits until it is there.
pub fn send_and_receive(instance: &Instance) -> Result<Arrived, Failure> {
    let new = instance.maildir.join("new");
    let before = files(&new)?;
    send(instance)
        .map_err(|error| Failure::temporary(format!("the first message was not accepted: {error}")))?;
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(path) = files(&new)?.difference(&before).next() {
            let text = fs::read(path).map_err(|error| trouble("read", path, &error))?;
            return Ok(Arrived { path: path.clone(), text: String::from_utf8_lossy(&text).into_owned() });
        }
        std::thread::sleep(PAUSE);
    }
    Err(Failure::temporary(format!("the first message did not arrive in {}", new.display())))
}

fn files(directory: &Path) -> Result<BTreeSet<PathBuf>, Failure> {
    let entries = fs::read_dir(directory).map_err(|error| trouble("read", directory, &error))?;
    Ok(entries.flatten().map(|entry| entry.path()).collect())
}

fn send(instance: &Instance) -> io::Result<()> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, instance.port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut session = Session { replies: BufReader::new(stream.try_clone()?), commands: stream };
    let mailbox = &instance.mailbox;
    session.expect(220)?;
    session.command("EHLO localhost", 250)?;
    session.command(&format!("MAIL FROM:<{mailbox}>"), 250)?;
    session.command(&format!("RCPT TO:<{mailbox}>"), 250)?;
    session.command("DATA", 354)?;
    let text = format!(
        "From: {mailbox}\r\nTo: {mailbox}\r\nSubject: the first message\r\n\r\n\
         It came by SMTP through tcpserver and qmail-smtpd into the queue,\r\n\
         and qmail-send had it delivered by qmail-local.\r\n."
    );
    session.command(&text, 250)?;
    session.command("QUIT", 221)
}

struct Session {
    replies: BufReader<TcpStream>,
    commands: TcpStream,
}

impl Session {
    fn command(&mut self, command: &str, code: u16) -> io::Result<()> {
        self.commands.write_all(format!("{command}\r\n").as_bytes())?;
        self.expect(code)
    }

    /// Reads one reply, with its continuation lines (RFC 5321 §4.2.1).
    fn expect(&mut self, code: u16) -> io::Result<()> {
        loop {
            let mut line = String::new();
            if self.replies.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if !line.starts_with(&code.to_string()) {
                return Err(io::Error::other(format!("smtpd said {}", line.trim_end())));
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(());
            }
        }
    }
}
