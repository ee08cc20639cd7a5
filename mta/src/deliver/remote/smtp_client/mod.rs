//! One SMTP session as a client: the loop between the connection and the [dialogue].

pub mod connection;
pub mod dialogue;
pub mod reply;

use super::body::Encoder;
use super::message::{Message, PIECE};
use super::report::{MessageReport, RecipientReport};
use connection::Connection;
use dialogue::{Dialogue, Next};

/// What a session came to.
#[derive(Debug)]
pub enum Outcome {
    /// The server's verdict, or what went wrong: for each recipient, and for the message.
    Reported(Vec<RecipientReport>, MessageReport),
    /// The server broke off when it heard EHLO. Nothing was sent; HELO may work.
    HeloOnly,
}

/// Leads a dialogue to its end.
pub fn run(mut dialogue: Dialogue<'_>, connection: &mut Connection, message: &mut Message) -> Outcome {
    let report = match converse(&mut dialogue, connection, message) {
        Ok(report) => report,
        Err(Broken::Connection(closed)) if closed && dialogue.awaits_ehlo() => return Outcome::HeloOnly,
        Err(Broken::Connection(_)) => dialogue.broken(),
        // No end of the message was sent, so the server has to discard what it got.
        Err(Broken::Message(report)) => report,
    };
    Outcome::Reported(dialogue.recipients().to_vec(), report)
}

/// Why a dialogue was not led to its end.
enum Broken {
    /// The connection failed, by being closed or otherwise.
    Connection(bool),
    /// The message cannot be sent.
    Message(MessageReport),
}

impl From<std::io::Error> for Broken {
    fn from(error: std::io::Error) -> Broken {
        use std::io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
        Broken::Connection(matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof))
    }
}

fn converse(
    dialogue: &mut Dialogue<'_>,
    connection: &mut Connection,
    message: &mut Message,
) -> Result<MessageReport, Broken> {
    loop {
        match dialogue.take(&connection.read_reply()?) {
            Next::Send(bytes) => connection.write(&bytes)?,
            Next::Read => {}
            Next::SendMessage => send(dialogue, connection, message)?,
            Next::Finish(report) => {
                connection.quit();
                return Ok(report);
            }
            Next::BreakOff(report) => return Ok(report),
        }
    }
}

/// Sends the message in blocks, each of which has the whole time of a command: that is the slowest a server
/// may read. The end goes out with the last block, and not before the whole message could be read.
fn send(
    dialogue: &mut Dialogue<'_>,
    connection: &mut Connection,
    message: &mut Message,
) -> Result<(), Broken> {
    let (mut encoder, mut wire, mut piece) = (Encoder::default(), Vec::new(), [0; PIECE]);
    loop {
        let length = message.read(&mut piece).map_err(|_| Broken::Message(MessageReport::Unreadable))?;
        if length == 0 {
            break;
        }
        encoder.encode(piece.get(..length).unwrap_or_default(), &mut wire);
        if wire.len() >= BLOCK {
            connection.write(&wire)?;
            wire.clear();
        }
    }
    let ended = encoder.finish(&mut wire);
    if ended.is_ok() {
        dialogue.end_goes_out();
    }
    connection.write(&wire)?;
    ended.map_err(|_| Broken::Message(MessageReport::PartialLine))
}

/// How much of the encoded message is sent at once.
const BLOCK: usize = 64 * 1024;
