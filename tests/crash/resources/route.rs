//! The ways of a message into the queue, and what the sender is told.

use super::super::ledger::Number;
use super::laboratory::{Laboratory, recipients, sender};
use harness::Running;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::process::Stdio;

/// A way into the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// qmail-queue itself.
    Queue,
    /// qmail-inject.
    Inject,
    /// qmail-smtpd.
    Smtp,
}

/// What the program said of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is in the queue.
    Accepted,
    /// Not now: an exit status or reply that says so, or none at all.
    Refused,
    /// Never: which a fault of ours must not be taken for.
    RefusedForEver,
}

impl Route {
    /// All of them.
    pub const ALL: [Route; 3] = [Route::Queue, Route::Inject, Route::Smtp];

    /// The program.
    pub fn program(self) -> &'static str {
        match self {
            Route::Queue => "qmail-queue",
            Route::Inject => "qmail-inject",
            Route::Smtp => "qmail-smtpd",
        }
    }

    /// Sends a message, with these words in front of the program.
    pub fn send(self, laboratory: &Laboratory, number: Number, before: &[String]) -> Answer {
        let mut words = [before, &[laboratory.program(self.program())]].concat();
        match self {
            Route::Queue => {
                let mut command = laboratory.command(&words);
                command.stdin(file_of(&number.text())).stdout(file_of(&envelope())).stderr(Stdio::null());
                of_status(Running::start(&mut command).wait(), &[11..=40])
            }
            Route::Inject => {
                words.push(format!("-f{}", sender()));
                words.extend(recipients());
                let mut command = laboratory.command(&words);
                command.stdin(file_of(&number.text())).stdout(Stdio::null()).stderr(Stdio::null());
                of_status(Running::start(&mut command).wait(), &[100..=100])
            }
            Route::Smtp => {
                let mut command = laboratory.command(&words);
                // Somebody for whom the server relays: one recipient is on another host.
                command.env("TCPREMOTEIP", "192.0.2.1").env("RELAYCLIENT", "");
                command.stdin(file_of(&session(number))).stdout(Stdio::piped()).stderr(Stdio::null());
                let mut running = Running::start(&mut command);
                let mut replies = String::new();
                let output = running.child().stdout.as_mut().expect("a pipe");
                output.read_to_string(&mut replies).expect("replies");
                running.wait();
                of_replies(&replies)
            }
        }
    }
}

fn of_status(status: i32, permanent: &[std::ops::RangeInclusive<i32>]) -> Answer {
    match status {
        0 => Answer::Accepted,
        _ if permanent.iter().any(|range| range.contains(&status)) => Answer::RefusedForEver,
        _ => Answer::Refused,
    }
}

/// The replies to EHLO, MAIL, three RCPT, DATA and the message, after the greeting. What comes after a DATA that was refused
/// is about the lines of the message, which were on their way already.
fn of_replies(replies: &str) -> Answer {
    let is_last_line = |line: &&str| line.as_bytes().get(3) == Some(&b' ');
    let mut replies = replies.lines().filter(is_last_line);
    let is_permanent = |line: &str| line.starts_with('5');
    if replies.by_ref().take(6).any(is_permanent) {
        return Answer::RefusedForEver;
    }
    for wanted in ["354 ", "250 "] {
        match replies.next() {
            Some(reply) if reply.starts_with(wanted) => {}
            Some(reply) if is_permanent(reply) => return Answer::RefusedForEver,
            _ => return Answer::Refused,
        }
    }
    Answer::Accepted
}

/// The envelope as qmail-queue reads it.
fn envelope() -> String {
    let recipients: String = recipients().iter().map(|recipient| format!("T{recipient}\0")).collect();
    format!("F{}\0{recipients}\0", sender())
}

fn session(number: Number) -> String {
    let recipients: String =
        recipients().iter().map(|recipient| format!("RCPT TO:<{recipient}>\r\n")).collect();
    let text = number.text().replace('\n', "\r\n");
    format!("EHLO client\r\nMAIL FROM:<{}>\r\n{recipients}DATA\r\n{text}.\r\nQUIT\r\n", sender())
}

/// A file without a name that holds this text, to be read from its beginning.
fn file_of(text: &str) -> File {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(text.as_bytes()).and_then(|()| file.rewind()).expect("its contents");
    file
}
