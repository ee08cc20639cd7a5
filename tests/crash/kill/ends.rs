//! What a program that takes messages has on descriptors 0 and 1, and what it said there.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Command;

/// With whom it talks.
pub enum With {
    /// A caller with a message on 0 and this envelope on 1, where it may also write.
    Envelope(String),
    /// A client on a socket, which is both, and who says everything at once.
    Client,
    /// A client for SMTP, who says what comes behind DATA only when he is told to go ahead.
    SmtpClient,
}

/// The line after which an SMTP client waits for an answer, and how many replies he then has had: the greeting, and those to
/// EHLO, MAIL, RCPT and DATA.
const DATA: &str = "\r\nDATA\r\n";
const REPLIES_TO_DATA: usize = 5;

/// The descriptors for one run.
pub enum Ends {
    /// The message, and what there is on descriptor 1.
    Files(File, File),
    /// A connection.
    Socket(Connection),
}

/// Both ends of a connection.
pub struct Connection {
    ours: UnixStream,
    theirs: UnixStream,
    /// What is to be said when the server wants the message.
    waiting: Option<String>,
    heard: Vec<u8>,
}

impl Ends {
    /// Puts everything that the program will read where it will find it.
    pub fn new(with: &With, input: &str) -> Ends {
        let (first, waiting) = match with {
            With::Envelope(envelope) => return Ends::Files(file_of(input), file_of(envelope)),
            With::Client => (input, None),
            With::SmtpClient => {
                let (first, message) = input.split_once(DATA).expect("a message");
                (&input[..first.len() + DATA.len()], Some(message.to_owned()))
            }
        };
        let (ours, theirs) = UnixStream::pair().expect("a socket");
        let mut connection = Connection { ours, theirs, waiting, heard: Vec::new() };
        connection.say(first);
        if connection.waiting.is_none() {
            connection.end();
        }
        connection.ours.set_nonblocking(true).expect("a socket that does not wait");
        Ends::Socket(connection)
    }

    /// Gives it the descriptors.
    pub fn give_to(&self, command: &mut Command) {
        let (input, output): (OwnedFd, OwnedFd) = match self {
            Ends::Files(input, output) => (copy(input).into(), copy(output).into()),
            Ends::Socket(connection) => {
                let copy = || connection.theirs.try_clone().expect("a second descriptor").into();
                (copy(), copy())
            }
        };
        command.stdin(input).stdout(output);
    }

    /// Goes on with the conversation, as far as there is one.
    pub fn converse(&mut self) {
        if let Ends::Socket(connection) = self {
            connection.go_on();
        }
    }

    /// All that it has written, now that it has ended.
    pub fn output(mut self) -> String {
        self.converse();
        let bytes = match self {
            Ends::Files(_, mut output) => {
                let mut bytes = Vec::new();
                output.rewind().and_then(|()| output.read_to_end(&mut bytes)).expect("the output");
                bytes
            }
            Ends::Socket(connection) => connection.heard,
        };
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Connection {
    fn go_on(&mut self) {
        // It ends with an error while nothing more comes.
        let _ = self.ours.read_to_end(&mut self.heard);
        let heard = String::from_utf8_lossy(&self.heard).into_owned();
        let replies: Vec<&str> =
            heard.split_inclusive("\r\n").filter(|line| is_last_of_reply(line)).collect();
        if replies.len() < REPLIES_TO_DATA {
            return;
        }
        if let Some(message) = self.waiting.take() {
            if replies[REPLIES_TO_DATA - 1].starts_with("354 ") {
                self.say(&message);
            }
            self.end();
        }
    }

    /// To a server that is gone one cannot say anything.
    fn say(&mut self, text: &str) {
        let _ = self.ours.write_all(text.as_bytes());
    }

    fn end(&self) {
        let _ = self.ours.shutdown(Shutdown::Write);
    }
}

fn is_last_of_reply(line: &str) -> bool {
    line.ends_with("\r\n") && line.as_bytes().get(3) == Some(&b' ')
}

fn copy(file: &File) -> File {
    file.try_clone().expect("a second descriptor")
}

/// A file in memory that holds a text, to be read from its beginning.
fn file_of(text: &str) -> File {
    let mut file = tempfile::tempfile_in("/dev/shm").or_else(|_| tempfile::tempfile()).expect("a file");
    file.write_all(text.as_bytes()).and_then(|()| file.rewind()).expect("its contents");
    file
}
