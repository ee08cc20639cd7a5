//! The client of one round: started, given names, heard, and waited for.
//!
//! It is given names and heard at the same time, so that neither waits for the other with a full pipe.

use super::protocol::{Decoder, Report};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use unix::descriptor;
use unix::environment::Environment;
use unix::exec::{self, Search};
use unix::failure::Failure;
use unix::poll::{self, Interest};
use unix::process::{self, Ended};
use unix::signal::{self, Signal};

/// Runs a client for these files, and passes its reports on as they come; how it ended.
///
/// # Errors
/// Temporary; there is no pipe or process, or the client cannot be heard or waited for.
pub fn run(
    own_name: &str,
    words: &[Vec<u8>],
    names: &[&[u8]],
    mut heard: impl FnMut(&Report),
) -> Result<Ended, Failure> {
    let pipe =
        || descriptor::pipe().map_err(|error| Failure::temporary("unable to create pipe").because(&error));
    let (names_reader, names_writer) = pipe()?;
    let (reports_reader, reports_writer) = pipe()?;
    let child = process::fork(|| become_client(own_name, words, &names_reader, &reports_writer))
        .map_err(|error| Failure::temporary("unable to fork").because(&error))?;
    drop((names_reader, reports_writer));
    let mut feed = Feed::new(names_writer, names).map_err(|error| unheard(&error))?;
    let mut reports = File::from(reports_reader);
    let mut decoder = Decoder::default();
    loop {
        feed.wait(&reports).map_err(|error| unheard(&error))?;
        if !feed.reports_are_ready {
            continue;
        }
        let mut buffer = [0; 4096];
        let length = match reports.read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            done => done.map_err(|error| unheard(&error))?,
        };
        if length == 0 {
            break;
        }
        for report in buffer.iter().take(length).filter_map(|byte| decoder.feed(*byte)) {
            heard(&report);
        }
    }
    // It has no more to say: names that it has not read are of no use to it.
    drop(feed);
    process::wait_for(child)
        .map_err(|error| Failure::temporary("unable to get client status").because(&error))
}

fn unheard(error: &io::Error) -> Failure {
    Failure::temporary("unable to read from client").because(error)
}

/// The child.
fn become_client(own_name: &str, words: &[Vec<u8>], names: &OwnedFd, reports: &OwnedFd) -> u8 {
    let placed = descriptor::place_all(&[(names.as_fd(), 0), (reports.as_fd(), 1)]);
    signal::default(Signal::SIGPIPE);
    let error = match placed {
        Ok(()) => exec::exec(words, &Environment::inherited(), Search::PathOrShell),
        Err(error) => error,
    };
    let program = words.first().map(Vec::as_slice).unwrap_or_default();
    let failure = Failure::temporary([b"unable to run ", program].concat()).because(&error);
    failure.report(own_name);
    failure.exit().0
}

/// What is left of the names, and the pipe for them until there are none.
struct Feed {
    pipe: Option<File>,
    bytes: Vec<u8>,
    sent: usize,
    reports_are_ready: bool,
}

impl Feed {
    fn new(pipe: OwnedFd, names: &[&[u8]]) -> io::Result<Feed> {
        descriptor::set_nonblocking(&pipe, true)?;
        let bytes = names.iter().flat_map(|name| name.iter().chain(&[0])).copied().collect();
        Ok(Feed { pipe: Some(File::from(pipe)), bytes, sent: 0, reports_are_ready: false })
    }

    /// Waits until there is a report, or room for names, which then are written.
    fn wait(&mut self, reports: &File) -> io::Result<()> {
        let reports = (reports.as_fd(), Interest::Read);
        let Some(pipe) = &mut self.pipe else {
            self.reports_are_ready = poll::wait(&[reports], None)?.first().copied().unwrap_or(false);
            return Ok(());
        };
        let ready = poll::wait(&[reports, (pipe.as_fd(), Interest::Write)], None)?;
        self.reports_are_ready = ready.first().copied().unwrap_or(false);
        if ready.get(1).copied().unwrap_or(false) {
            match pipe.write(self.bytes.get(self.sent..).unwrap_or_default()) {
                Ok(length) => self.sent = self.sent.saturating_add(length),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                // It reads no more, which is its right.
                Err(_) => self.sent = self.bytes.len(),
            }
        }
        if self.sent >= self.bytes.len() {
            // The end of the names.
            self.pipe = None;
        }
        Ok(())
    }
}
