//! `accustamp` puts the time before each line, for itself in a pipe or with the program that reads the lines.
//!
//! Reads    fd 0: lines.
//! Writes   fd 1, or fd 0 of the program: the same lines, each after `SECONDS.MICROS `.
//! Runs as  anybody.   Trusts  nobody: bytes pass unchanged, and memory does not grow with them.
//! Exits    alone: 0 at the end of the input (also an unreadable one) · 111 silently when fd 1 fails.
//!          with a program: as that does, once the input has ended or TERM has come · 111 when it cannot be run,
//!          was killed, or does not read to the end.
//! Manual   accustamp(1).    Next in the flow: cyclog.
//!
//! With a program, both are one service that loses no line when it is restarted:
//!
//! * TERM: what was read is written, with the rest of its last line from what the pipe holds; then the program
//!   finds the end of its input and finishes what it does. Everything else stays in the pipe for the next accustamp.
//! * ALRM goes on to the program.
//! * The program ends: accustamp ends at once, too, and does not go on reading for nobody.
//! * accustamp is killed: the program finds the end of its input.

mod reader;
mod stamper;

use crate::filter;
use crate::input::{Input, Piece};
use crate::line_start::LineStarts;
use reader::Reader;
use stamper::Stamper;
use std::os::fd::AsFd;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::signal::{Signal, Signals};
use unix::stamp::Stamp;

/// Runs `accustamp [-- program [args ...]]`. Other arguments are ignored, as they always were.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    match invocation.arguments.as_slice() {
        [dashes, words @ ..] if dashes == b"--" && !words.is_empty() => run_with(words),
        _ => filter::run(&mut LineStarts::new(Stamper::new(Stamp::now))),
    }
}

fn run_with(words: &[Vec<u8>]) -> Result<Exit, Failure> {
    let signals = Signals::hold(&[Signal::SIGTERM, Signal::SIGALRM])
        .map_err(|error| Failure::temporary("unable to hold signals").because(&error))?;
    let mut reader = Reader::start(words)?;
    copy(&signals, &mut reader)?;
    reader.finish()
}

/// Stamps lines until their end or TERM. An unreadable input has ended, as it has without a program.
fn copy(signals: &Signals, reader: &mut Reader<'_>) -> Result<(), Failure> {
    let mut stamper = LineStarts::new(Stamper::new(Stamp::now));
    let mut input = Input::new();
    let mut output = Vec::new();
    while let Ok(is_ready) = input.wait(&[signals.as_fd(), reader.as_fd()]) {
        reader.check()?;
        if signals.take(Signal::SIGALRM) {
            reader.signal(Signal::SIGALRM);
        }
        if signals.take(Signal::SIGTERM) {
            let rest = input.rest_of_line();
            return filter::pass(&mut stamper, rest, &mut output, |stamped| reader.write(stamped));
        }
        if !is_ready {
            continue;
        }
        match input.read() {
            Ok(Piece::Bytes(bytes)) => {
                filter::pass(&mut stamper, bytes, &mut output, |stamped| reader.write(stamped))?;
            }
            Ok(Piece::Nothing) => {}
            Ok(Piece::End) | Err(_) => break,
        }
    }
    Ok(())
}
