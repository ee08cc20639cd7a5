//! Bytes that flow from one descriptor to another: one way, or both ways without one waiting for the other.

use super::line_ends::Change;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use unix::descriptor;
use unix::failure::Failure;
use unix::poll::{self, Interest};
use unix::program::Exit;

/// Copies standard input to standard output with a change.
pub(super) fn filter(change: &mut dyn Change) -> Result<Exit, Failure> {
    let (mut input, mut output) = (descriptor::input(), descriptor::output());
    let mut buffer = [0; 65536];
    loop {
        let length = read(&mut input, &mut buffer)
            .map_err(|error| Failure::temporary("unable to read input").because(&error))?;
        let bytes = buffer.get(..length).unwrap_or_default();
        let changed = if bytes.is_empty() { change.finish() } else { change.apply(bytes) };
        output
            .write_all(&changed)
            .map_err(|error| Failure::temporary("unable to write output").because(&error))?;
        if bytes.is_empty() {
            return Ok(Exit::SUCCESS);
        }
    }
}

/// Where bytes come from.
pub(super) trait Source: Read + AsFd {}
impl<T: Read + AsFd> Source for T {}

/// Where bytes go.
pub(super) trait Sink: Write + AsFd {}
impl<T: Write + AsFd> Sink for T {}

/// One direction.
pub(super) struct Flow<'a> {
    /// `None` once the end was seen or nobody takes the bytes any more; the sink is closed then.
    ends: Option<(Box<dyn Source + 'a>, Box<dyn Sink + 'a>)>,
    change: Box<dyn Change + 'a>,
    /// What was read and not written yet.
    waiting: Vec<u8>,
    /// Nothing more will be read.
    is_last: bool,
}

impl<'a> Flow<'a> {
    /// A direction with a change.
    pub fn new(source: impl Source + 'a, sink: impl Sink + 'a, change: impl Change + 'a) -> Flow<'a> {
        Flow {
            ends: Some((Box::new(source), Box::new(sink))),
            change: Box::new(change),
            waiting: Vec::new(),
            is_last: false,
        }
    }

    /// Reads a piece if nothing waits, writes otherwise. Errors are ends: whoever is there notices.
    fn go_on(&mut self) {
        let Some((source, sink)) = &mut self.ends else { return };
        if self.waiting.is_empty() {
            let mut packet = [0; PACKET];
            let length = read(source, &mut packet).unwrap_or(0);
            let bytes = packet.get(..length).unwrap_or_default();
            self.is_last = bytes.is_empty();
            self.waiting = if self.is_last { self.change.finish() } else { self.change.apply(bytes) };
        } else {
            match sink.write(&self.waiting) {
                Ok(length) => drop(self.waiting.drain(..length.min(self.waiting.len()))),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.ends = None,
            }
        }
        if self.is_last && self.waiting.is_empty() {
            self.ends = None;
        }
    }
}

/// Moves bytes both ways until `out` has ended; the end of `into` closes its sink and nothing more.
///
/// SIGPIPE should be ignored.
pub(super) fn both_ways<'a>(mut into: Flow<'a>, mut out: Flow<'a>) {
    while out.ends.is_some() {
        let mut waited = Vec::with_capacity(2);
        for flow in [&into, &out] {
            waited.extend(flow.ends.as_ref().map(|(source, sink)| {
                if flow.waiting.is_empty() {
                    (source.as_fd(), Interest::Read)
                } else {
                    (sink.as_fd(), Interest::Write)
                }
            }));
        }
        // An error of poll (memory) is taken for "all ready": whoever looks finds out.
        let mut ready = poll::wait(&waited, None).unwrap_or_else(|_| vec![true; 2]).into_iter();
        for flow in [&mut into, &mut out] {
            if flow.ends.is_some() && ready.next() == Some(true) {
                flow.go_on();
            }
        }
    }
}

fn read(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// How much is read at a time. Even twice as much fits into a pipe that has room at all, so no write waits.
const PACKET: usize = 256;
