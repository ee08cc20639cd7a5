//! `maildirserial` gives the messages in a maildir to a client that sends them, and removes those that were sent.
//!
//! Reads    the maildir; reports of the client; control/{me, bouncefrom, bouncehost, doublebouncehost, doublebounceto}.
//! Writes   names of messages to the client; notices, by qmail-queue; fd 2: what became of each message.
//! Runs as  the owner of the maildir.   Trusts  the client about messages that it was offered in this round, and no others.
//! Exits    0 nothing is left · 100 called wrongly, or the client says so · 111 something is left.
//! Manual   maildirserial(1).    Next in the flow: serial::serialsmtp, serial::serialqmtp.
//!
//! It goes in rounds: a round offers what is there and was not reported yet. A message that stays in the maildir after a report
//! is not offered again in this run, so each round that hears anything leaves less for the next one.

use super::bounce::{self, Done, Origin, Reason, Trouble};
use super::client;
use super::protocol::Report;
use super::round::{self, Dead, Fate};
use crate::message::printable;
use crate::setup::home::Home;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use unix::clock::Now;
use unix::descriptor;
use unix::failure::{self, Failure};
use unix::process::Ended;
use unix::program::{Exit, Invocation};
use unix::signal::{self, Signal};

const USAGE: &str = "maildirserial [ -b ] [ -t lifetime ] dir prefix client [ arg ... ]";
/// So many rounds may pass one after another in which nothing is heard of any message.
const SILENT_ROUNDS: u32 = 3;

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let (mut bounces, mut lifetime) = (false, None);
    let mut options = invocation.options("bt:");
    while let Some(option) = options.next_option().map_err(|error| error.with_usage(USAGE))? {
        match option.letter {
            b'b' => bounces = true,
            _ => lifetime = Some(i64::try_from(option.number()).unwrap_or(i64::MAX)),
        }
    }
    let [directory, prefix, words @ ..] = options.operands() else { return Err(Failure::usage(USAGE)) };
    if words.is_empty() {
        return Err(Failure::usage(USAGE));
    }
    std::env::set_current_dir(OsStr::from_bytes(directory)).map_err(|error| {
        Failure::temporary([b"unable to chdir to ", directory.as_slice()].concat()).because(&error)
    })?;
    // A client that goes away is an answer.
    signal::ignore(Signal::SIGPIPE);
    let home = Home::of_this_program()?;
    let origin = Origin::read(&home)?;
    let dead = Dead::new();
    let mut sorter = Sorter { name: invocation.name, bounces, lifetime, prefix, home, origin, dead };
    sorter.all_rounds(words)
}

/// What decides about messages, and carries that out.
struct Sorter<'a> {
    name: &'static str,
    bounces: bool,
    /// In seconds.
    lifetime: Option<i64>,
    prefix: &'a [u8],
    home: Home,
    origin: Origin,
    dead: Dead,
}

impl Sorter<'_> {
    fn all_rounds(&mut self, words: &[Vec<u8>]) -> Result<Exit, Failure> {
        let mut silent: u32 = 0;
        while silent < SILENT_ROUNDS {
            let offered = self.offered()?;
            if offered.is_empty() {
                return Ok(if self.dead.is_empty() { Exit::SUCCESS } else { Exit::TEMPORARY });
            }
            let names: Vec<&[u8]> = offered.iter().map(Vec::as_slice).collect();
            let mut open: HashSet<&[u8]> = names.iter().copied().collect();
            let ended = client::run(self.name, words, &names, |report| {
                // One report for each message that was offered: a client that repeats itself, or speaks of others, makes no
                // progress, and is not believed.
                if open.remove(report.name.as_slice()) {
                    self.decide(report);
                } else {
                    self.warn(&[b"client reports on a message that is not open: ", &report.name]);
                }
            })?;
            silent = if open.len() < offered.len() { 0 } else { silent.saturating_add(1) };
            match ended {
                Ended::Exited(100) => return Ok(Exit::PERMANENT),
                Ended::Exited(_) => {}
                Ended::Killed { .. } => return Err(Failure::temporary("client crashed")),
            }
        }
        Err(Failure::temporary("making no progress, giving up"))
    }

    fn offered(&mut self) -> Result<Vec<Vec<u8>>, Failure> {
        let mut unreadable = Vec::new();
        let note =
            |name: &[u8], error: &io::Error| unreadable.push((name.to_vec(), failure::describe(error)));
        let offered = round::offered(self.prefix, Now::read().wall, &self.dead, note)?;
        for (name, why) in unreadable {
            self.warn(&[b"unable to read ", &name, b": ", why.as_bytes()]);
            self.dead.insert(name);
        }
        Ok(offered)
    }

    fn decide(&mut self, report: &Report) {
        let Report { name, status, text } = report;
        match Fate::of(*status, self.bounces, || self.is_too_old(name)) {
            Fate::Delivered => {
                self.say(&[name, b" succeeded: ", text]);
                self.remove(name, b"message will be delivered twice! unable to unlink ");
            }
            Fate::Bounced { is_too_old } => {
                self.say(&[name, b" bounced: ", text]);
                self.bounce(name, Reason { text, is_too_old });
            }
            Fate::Failed => {
                self.say(&[name, b" failed: ", text]);
                self.dead.insert(name.clone());
            }
            Fate::PutOff => {
                self.say(&[name, b" failed temporarily: ", text]);
                self.dead.insert(name.clone());
            }
        }
    }

    fn is_too_old(&self, name: &[u8]) -> bool {
        let Some(lifetime) = self.lifetime else { return false };
        match round::delivered(name) {
            Ok(delivered) => Now::read().wall > delivered.saturating_add(lifetime),
            Err(error) => {
                self.warn_because(&[b"assuming message is still alive; unable to stat ", name], &error);
                false
            }
        }
    }

    fn bounce(&mut self, name: &[u8], reason: Reason<'_>) {
        let path = Path::new(OsStr::from_bytes(name));
        match bounce::send(&self.home, &self.origin, path, self.prefix, reason) {
            Ok(Done::Returned(pid)) => {
                self.say(&[b"returned ", name, format!(": qp {pid}").as_bytes()]);
                self.remove(name, b"message has been bounced but not removed! unable to unlink ");
                return;
            }
            Ok(Done::Discarded) => {
                self.say(&[b"discarding ", name, b": triple bounce"]);
                self.remove(name, b"message has been bounced but not removed! unable to unlink ");
                return;
            }
            Err(Trouble::Start(error)) => self.warn_because(&[b"unable to bounce ", name], &error),
            Err(Trouble::Read(error)) => self.warn_because(&[b"unable to read ", name], &error),
            Err(Trouble::Format) => self.warn(&[b"unable to bounce ", name, b": bad file format"]),
            Err(Trouble::Queue(text)) => self.warn(&[b"unable to bounce ", name, b": qq failed: ", &text]),
        }
        self.dead.insert(name.to_vec());
    }

    /// A message that cannot be removed has to stay out of the next rounds, or it would be sent in each of them.
    fn remove(&mut self, name: &[u8], unable: &[u8]) {
        if let Err(error) = fs::remove_file(Path::new(OsStr::from_bytes(name))) {
            self.warn_because(&[unable, name], &error);
            self.dead.insert(name.to_vec());
        }
    }

    fn say(&self, parts: &[&[u8]]) {
        self.write(b": info: ", parts);
    }

    fn warn(&self, parts: &[&[u8]]) {
        self.write(b": warning: ", parts);
    }

    fn warn_because(&self, parts: &[&[u8]], error: &io::Error) {
        self.warn(&[&failure::because(parts.concat(), error)]);
    }

    /// One line, whatever a name or a host's words hold.
    fn write(&self, kind: &[u8], parts: &[&[u8]]) {
        let text = printable::with(b'?', &parts.concat());
        descriptor::write_error_line(&[self.name.as_bytes(), kind, &text]);
    }
}
