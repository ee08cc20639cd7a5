//! The ways of a message into the queue, and what the sender is told.

use super::super::ledger::Number;
use super::super::smtp_session::{self, Answer};
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
                command
                    .stdin(file_of(&smtp_session::session(&[number], &sender(), &recipients())))
                    .stdout(Stdio::piped())
                    .stderr(Stdio::null());
                let mut running = Running::start(&mut command);
                let mut replies = String::new();
                let output = running.child().stdout.as_mut().expect("a pipe");
                output.read_to_string(&mut replies).expect("replies");
                running.wait();
                smtp_session::answer(&replies, &recipients())
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

/// The envelope as qmail-queue reads it.
fn envelope() -> String {
    let recipients: String = recipients().iter().map(|recipient| format!("T{recipient}\0")).collect();
    format!("F{}\0{recipients}\0", sender())
}

/// A file without a name that holds this text, to be read from its beginning.
fn file_of(text: &str) -> File {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(text.as_bytes()).and_then(|()| file.rewind()).expect("its contents");
    file
}
