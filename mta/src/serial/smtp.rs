//! The SMTP dialogue of `serialsmtp`, as a pure state machine: replies and messages in, what to do next out.
//!
//! | state | a good reply | a bad reply |
//! |---|---|---|
//! | greeting (220), HELO (250) | go on | give up |
//! | EHLO (250) | idle, with or without pipelining | HELO |
//! | RSET | the next command | give up |
//! | MAIL, RCPT | the next command | report it |
//! | DATA | the message | report it |
//! | after a bad reply, pipelined | give up: the host and we disagree about what was asked | the next reply |
//! | the message | report it | report it |

use super::message::Envelope;
use super::protocol::Status;
use crate::message::quote;
use std::collections::VecDeque;

/// A reply (RFC 5321 §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The code of its last line.
    pub code: u32,
    /// Its last line, without the line end.
    pub last_line: Vec<u8>,
    /// Whether a line after the first is `PIPELINING` (RFC 2920).
    pub has_pipelining: bool,
}

/// What came is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation;

/// Puts a reply together from bytes as they arrive.
#[derive(Debug, Default)]
pub struct ReplyReader {
    line: Vec<u8>,
    lines: usize,
    length: usize,
    has_pipelining: bool,
}

/// As much of a line is kept as a report has room for, and its line end.
const KEPT: usize = 2001;
/// No reply is as long as this.
const LONGEST_REPLY: usize = 1024 * 1024;

impl ReplyReader {
    /// Takes the next byte; the reply if that was its last.
    ///
    /// # Errors
    /// A line does not begin with three digits, or there is no end of lines.
    pub fn feed(&mut self, byte: u8) -> Result<Option<Reply>, Violation> {
        self.length = self.length.saturating_add(1);
        if self.length > LONGEST_REPLY {
            return Err(Violation);
        }
        if byte != b'\n' {
            if self.line.len() < KEPT {
                self.line.push(byte);
            }
            return Ok(None);
        }
        self.end_line()
    }

    fn end_line(&mut self) -> Result<Option<Reply>, Violation> {
        let code = code(&self.line).ok_or(Violation)?;
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        let keyword = line.get(4..).unwrap_or_default();
        if self.lines > 0 && keyword.eq_ignore_ascii_case(b"PIPELINING") {
            self.has_pipelining = true;
        }
        if line.get(3) == Some(&b'-') {
            self.line.clear();
            self.lines = self.lines.saturating_add(1);
            return Ok(None);
        }
        let reply = Reply { code, last_line: line.to_vec(), has_pipelining: self.has_pipelining };
        *self = ReplyReader::default();
        Ok(Some(reply))
    }
}

fn code(line: &[u8]) -> Option<u32> {
    let digits = line.get(..3)?;
    digits.iter().try_fold(0_u32, |value, byte| {
        let digit = char::from(*byte).to_digit(10)?;
        Some(value.saturating_mul(10).saturating_add(digit))
    })
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this, then a reply comes.
    Send(Vec<u8>),
    /// Another reply comes.
    Wait,
    /// Send the message, then a reply comes.
    SendMessage,
    /// The next message may begin.
    Ready,
    /// The reply is what became of the message. The next one may begin, unless more replies come.
    Report(Status, Then),
    /// Nothing more can be done with this host.
    GiveUp(Trouble),
}

/// What comes after a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The next message.
    Ready,
    /// Replies to commands that were sent already.
    Wait,
}

/// Why a host is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It does not want us.
    Greeting,
    /// It does not want our name.
    Name,
    /// Its replies make no sense.
    Violation,
}

/// One connection.
#[derive(Debug)]
pub struct Session {
    host: Vec<u8>,
    state: State,
    has_pipelining: bool,
    had_message: bool,
    /// Commands without reply; of those the first is being answered.
    commands: VecDeque<Command>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Greeting,
    Ehlo,
    Helo,
    Idle,
    Commands,
    /// A command was refused; the others that were sent with it should be, too.
    Refused,
    Message,
}

#[derive(Debug)]
struct Command {
    verb: Verb,
    line: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Reset,
    Mail,
    Recipient,
    Data,
}

impl Session {
    /// A session in which the greeting is awaited, and we are called `host`.
    pub fn new(host: &[u8]) -> Session {
        Session {
            host: host.to_vec(),
            state: State::Greeting,
            has_pipelining: false,
            had_message: false,
            commands: VecDeque::new(),
        }
    }

    /// Begins a message: what is to be sent, then a reply comes. Only when the session is ready.
    pub fn begin(&mut self, envelope: &Envelope) -> Vec<u8> {
        let path = |verb: &[u8], address: &[u8]| [verb, b":<", &quote::address(address), b">\r\n"].concat();
        let reset = Command { verb: Verb::Reset, line: b"RSET\r\n".to_vec() };
        let mail = Command { verb: Verb::Mail, line: path(b"MAIL FROM", &envelope.sender) };
        let recipient = Command { verb: Verb::Recipient, line: path(b"RCPT TO", &envelope.recipient) };
        let data = Command { verb: Verb::Data, line: b"DATA\r\n".to_vec() };
        let reset = self.had_message.then_some(reset);
        self.commands = reset.into_iter().chain([mail, recipient, data]).collect();
        self.had_message = true;
        self.state = State::Commands;
        let at_once = if self.has_pipelining { self.commands.len() } else { 1 };
        self.commands.iter().take(at_once).flat_map(|command| command.line.iter().copied()).collect()
    }

    /// Takes a reply.
    pub fn take_reply(&mut self, reply: &Reply) -> Step {
        match self.state {
            State::Greeting if reply.code == 220 => self.greet(State::Ehlo, b"EHLO "),
            State::Greeting => Step::GiveUp(Trouble::Greeting),
            State::Ehlo if reply.code == 250 => {
                self.has_pipelining = reply.has_pipelining;
                self.rest()
            }
            State::Ehlo => self.greet(State::Helo, b"HELO "),
            State::Helo if reply.code == 250 => self.rest(),
            State::Helo => Step::GiveUp(Trouble::Name),
            State::Idle => Step::GiveUp(Trouble::Violation),
            State::Commands => self.command_answered(reply.code),
            State::Refused if reply.code < 400 => Step::GiveUp(Trouble::Violation),
            State::Refused => {
                self.commands.pop_front();
                if self.commands.is_empty() { self.rest() } else { Step::Wait }
            }
            State::Message => {
                self.state = State::Idle;
                Step::Report(status(reply.code), Then::Ready)
            }
        }
    }

    fn greet(&mut self, next: State, verb: &[u8]) -> Step {
        self.state = next;
        Step::Send([verb, &self.host, b"\r\n"].concat())
    }

    fn rest(&mut self) -> Step {
        self.state = State::Idle;
        Step::Ready
    }

    fn command_answered(&mut self, code: u32) -> Step {
        let Some(command) = self.commands.pop_front() else { return Step::GiveUp(Trouble::Violation) };
        match status(code) {
            Status::Accepted => match self.commands.front() {
                None => {
                    self.state = State::Message;
                    Step::SendMessage
                }
                Some(_) if self.has_pipelining => Step::Wait,
                Some(next) => Step::Send(next.line.clone()),
            },
            _ if command.verb == Verb::Reset => Step::GiveUp(Trouble::Violation),
            refused if self.has_pipelining && !self.commands.is_empty() => {
                self.state = State::Refused;
                Step::Report(refused, Then::Wait)
            }
            refused => {
                self.state = State::Idle;
                Step::Report(refused, Then::Ready)
            }
        }
    }
}

fn status(code: u32) -> Status {
    match code {
        0..=399 => Status::Accepted,
        400..=499 => Status::PutOff,
        _ => Status::Refused,
    }
}

#[cfg(test)]
mod tests;
