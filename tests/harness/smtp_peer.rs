//! An SMTP server that follows a script: its replies in order, whatever it hears.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A server with a script. It takes as many connections as there are scripts, one after another.
pub struct SmtpPeer {
    address: SocketAddr,
    heard: Receiver<Vec<u8>>,
}

/// What the server does on one connection.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// The first is the greeting; each other one answers a line, or a message if the last line before it was
    /// `354…`. Lines within a reply are separated by CR LF; the last one needs none.
    pub replies: Vec<Vec<u8>>,
    /// Whether to close the connection after the last reply instead of waiting for the client to close it.
    pub closes: bool,
}

impl Script {
    /// A script of these replies that lets the client close.
    pub fn new<R: AsRef<[u8]>>(replies: impl IntoIterator<Item = R>) -> Script {
        Script { replies: replies.into_iter().map(|reply| reply.as_ref().to_vec()).collect(), closes: false }
    }

    /// The same, but closing after the last reply.
    #[must_use]
    pub fn closing(self) -> Script {
        Script { closes: true, ..self }
    }
}

impl SmtpPeer {
    /// A server on a port of `address`, such as `127.0.0.1` or `::1`.
    pub fn start(address: &str, scripts: Vec<Script>) -> std::io::Result<SmtpPeer> {
        let listener = TcpListener::bind((address, 0))?;
        let address = listener.local_addr()?;
        let (sender, heard) = channel();
        std::thread::spawn(move || {
            for script in scripts {
                let Ok((stream, _)) = listener.accept() else { return };
                // A client that breaks off leaves what was heard until then.
                let mut bytes = Vec::new();
                let _ = follow(&script, stream, &mut bytes);
                if sender.send(bytes).is_err() {
                    return;
                }
            }
        });
        Ok(SmtpPeer { address, heard })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// All that was heard on the next connection.
    pub fn heard(&self) -> Vec<u8> {
        self.heard.recv_timeout(Duration::from_secs(30)).expect("a connection that has ended")
    }
}

fn follow(script: &Script, stream: TcpStream, heard: &mut Vec<u8>) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    let mut last_reply: Option<&[u8]> = None;
    for reply in &script.replies {
        let goes_on = match last_reply {
            None => true,
            Some(last) if asks_for_message(last) => hear_message(&mut reader, heard)?,
            Some(_) => !hear_line(&mut reader, heard)?.is_empty(),
        };
        if !goes_on {
            return Ok(());
        }
        writer.write_all(&[reply, &b"\r\n"[..]].concat())?;
        last_reply = Some(reply);
    }
    while !script.closes && !hear_line(&mut reader, heard)?.is_empty() {}
    Ok(())
}

fn asks_for_message(reply: &[u8]) -> bool {
    reply.split(|byte| *byte == b'\n').next_back().is_some_and(|line| line.starts_with(b"354"))
}

/// Whether the message came to its end.
fn hear_message(reader: &mut BufReader<TcpStream>, heard: &mut Vec<u8>) -> std::io::Result<bool> {
    loop {
        match hear_line(reader, heard)?.as_slice() {
            b"" => return Ok(false),
            b".\r\n" => return Ok(true),
            _ => {}
        }
    }
}

fn hear_line(reader: &mut BufReader<TcpStream>, heard: &mut Vec<u8>) -> std::io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let result = reader.read_until(b'\n', &mut line);
    heard.extend_from_slice(&line);
    result.map(|_| line)
}
