//! What a logger does when the disk refuses: it says so, waits, and tries the same again, until TERM.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};
use unix::failure::{Failure, because};
use unix::poll::{Interest, wait_one};
use unix::program::Invocation;
use unix::signal::{Signal, Signals};

/// Something that failed and may work later.
#[derive(Debug)]
pub struct Trouble {
    /// What was tried, such as `unable to write to`. Warnings with the same one are told once a minute.
    pub action: &'static str,
    /// With what: a name from the directory, perhaps.
    pub object: Vec<u8>,
    /// Why it failed.
    pub error: io::Error,
}

impl Trouble {
    /// `action object`, then `consequence`, then the error. A name cannot make a second line of it (L8).
    fn line(&self, consequence: &str) -> Vec<u8> {
        because([self.text(), consequence.as_bytes().to_vec()].concat(), &self.error)
    }

    fn text(&self) -> Vec<u8> {
        let printable = |byte: &u8| if matches!(byte, 0x20..=0x7e) { *byte } else { b'?' };
        let object: Vec<u8> = self.object.iter().map(printable).collect();
        let space: &[u8] = if object.is_empty() { b"" } else { b" " };
        [self.action.as_bytes(), space, &object].concat()
    }

    /// The end of a program that was told to end and could not write so many bytes that it had read.
    pub fn into_failure(self, unwritten: usize) -> Failure {
        let lost = if unwritten == 0 { String::new() } else { format!(", {unwritten} bytes lost") };
        Failure::temporary([self.text(), lost.into_bytes()].concat()).because(&self.error)
    }
}

/// Waits for better times, and knows whether TERM came.
pub struct Patience<'a> {
    invocation: &'a Invocation,
    signals: Signals,
    terminated: bool,
    told: Told,
}

impl<'a> Patience<'a> {
    /// Catches TERM from now on.
    pub fn new(invocation: &'a Invocation) -> io::Result<Patience<'a>> {
        let signals = Signals::catch(&[Signal::SIGTERM])?;
        Ok(Patience { invocation, signals, terminated: false, told: Told::default() })
    }

    /// Whether TERM has come.
    pub fn is_terminated(&mut self) -> bool {
        self.terminated |= self.signals.take(Signal::SIGTERM);
        self.terminated
    }

    /// Says what is wrong and waits before another try: a second, or until TERM, after which there is one more.
    ///
    /// # Errors
    /// The trouble itself if TERM came before.
    pub fn pause(&mut self, trouble: Trouble) -> Result<(), Trouble> {
        if self.is_terminated() {
            return Err(trouble);
        }
        self.warn(&trouble, ", pausing");
        if wait_one(self.as_fd(), Interest::Read, Some(RETRY)).is_err() {
            std::thread::sleep(RETRY);
        }
        Ok(())
    }

    /// Says what is wrong and what follows from it, unless the like was said within the last minute.
    pub fn warn(&mut self, trouble: &Trouble, consequence: &str) {
        if self.told.is_due(trouble.action, Instant::now()) {
            self.invocation.warn(trouble.line(consequence));
        }
    }
}

/// Becomes readable when TERM comes, and stays so: whoever waits asks [`is_terminated`](Patience::is_terminated)
/// after it, and then waits no more.
impl AsFd for Patience<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signals.as_fd()
    }
}

/// When each action was last told to have failed.
#[derive(Default)]
struct Told(Vec<(&'static str, Instant)>);

impl Told {
    fn is_due(&mut self, action: &'static str, now: Instant) -> bool {
        match self.0.iter_mut().find(|(known, _)| *known == action) {
            None => self.0.push((action, now)),
            Some((_, last)) if now.saturating_duration_since(*last) >= SILENCE => *last = now,
            Some(_) => return false,
        }
        true
    }
}

/// How long until the next try: space that was made on a disk is used at once.
const RETRY: Duration = Duration::from_secs(1);
/// How long the same warning is not repeated.
const SILENCE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_warning_is_told_once_a_minute() {
        let mut told = Told::default();
        let start = Instant::now();
        assert!(told.is_due("unable to write to", start));
        assert!(!told.is_due("unable to write to", start + Duration::from_secs(59)));
        assert!(told.is_due("unable to create", start + Duration::from_secs(59)));
        assert!(told.is_due("unable to write to", start + Duration::from_secs(60)));
        assert!(!told.is_due("unable to write to", start + Duration::from_secs(61)));
    }

    #[test]
    fn l8_a_name_cannot_make_a_second_line() {
        let error = io::ErrorKind::NotFound.into();
        let trouble = Trouble { action: "unable to remove", object: b"@a\ncyclog: lie\x9b".to_vec(), error };
        assert_eq!(trouble.line(""), b"unable to remove @a?cyclog: lie?: file does not exist");
    }
}
