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
    /// What was tried, such as `unable to write to`.
    pub action: &'static str,
    /// With what: a name from the directory, perhaps.
    pub object: Vec<u8>,
    /// Why it failed, if the system said why.
    pub error: Option<io::Error>,
}

impl Trouble {
    /// What failed with a system error.
    pub fn new(action: &'static str, object: impl Into<Vec<u8>>, error: io::Error) -> Trouble {
        Trouble { action, object: object.into(), error: Some(error) }
    }

    /// Whether the disk is full, or the part of it that the logger may use.
    pub fn is_full_disk(&self) -> bool {
        let kind = self.error.as_ref().map(io::Error::kind);
        matches!(kind, Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }

    /// `action object`, then `consequence`, then the error. A name cannot make a second line of it (L8).
    fn line(&self, consequence: &str) -> Vec<u8> {
        let text = [self.text(), consequence.as_bytes().to_vec()].concat();
        match &self.error {
            Some(error) => because(text, error),
            None => text,
        }
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
        let failure = Failure::temporary([self.text(), lost.into_bytes()].concat());
        match &self.error {
            Some(error) => failure.because(error),
            None => failure,
        }
    }
}

/// Waits for better times, and knows whether TERM came.
pub struct Patience<'a> {
    invocation: &'a Invocation,
    signals: Signals,
    terminated: bool,
    /// Other signals that came and that nobody has asked for yet.
    others: Vec<Signal>,
    told: Told,
}

impl<'a> Patience<'a> {
    /// Holds TERM back from now on.
    pub fn new(invocation: &'a Invocation) -> io::Result<Patience<'a>> {
        Patience::holding(invocation, &[])
    }

    /// Holds back TERM and these others, which [`take`](Patience::take) tells of.
    pub fn holding(invocation: &'a Invocation, others: &[Signal]) -> io::Result<Patience<'a>> {
        let signals = Signals::hold(&[&[Signal::SIGTERM], others].concat())?;
        Ok(Patience { invocation, signals, terminated: false, others: Vec::new(), told: Told::default() })
    }

    /// Whether TERM has come.
    pub fn is_terminated(&mut self) -> bool {
        self.terminated |= self.signals.take(Signal::SIGTERM);
        self.terminated
    }

    /// Whether one of the other signals has come since this was last asked.
    pub fn take(&mut self, signal: Signal) -> bool {
        let at = self.others.iter().position(|other| *other == signal);
        at.map(|at| self.others.swap_remove(at)).is_some() || self.signals.take(signal)
    }

    /// Lets [`as_fd`](AsFd::as_fd) wait for the next signal. What came so far has to be asked for after this and
    /// before the wait.
    pub fn rearm(&mut self) {
        while let Some(signal) = self.signals.next() {
            match signal {
                Signal::SIGTERM => self.terminated = true,
                other if !self.others.contains(&other) => self.others.push(other),
                _ => {}
            }
        }
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
        let deadline = Instant::now() + RETRY;
        loop {
            self.rearm();
            let rest = deadline.saturating_duration_since(Instant::now());
            if rest.is_zero() || self.is_terminated() {
                return Ok(());
            }
            if wait_one(self.as_fd(), Interest::Read, Some(rest)).is_err() {
                std::thread::sleep(rest);
            }
        }
    }

    /// Says what is wrong and what follows from it, unless the like was said within the last minute.
    pub fn warn(&mut self, trouble: &Trouble, consequence: &'static str) {
        if self.told.is_due((trouble.action, consequence), Instant::now()) {
            self.invocation.warn(trouble.line(consequence));
        }
    }
}

/// Becomes readable when a signal comes, until [`rearm`](Patience::rearm): whoever waits asks
/// [`is_terminated`](Patience::is_terminated) before and after it.
impl AsFd for Patience<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signals.as_fd()
    }
}

/// When each kind of trouble was last told.
#[derive(Default)]
struct Told(Vec<(Kind, Instant)>);

/// An action and what follows from its failure.
type Kind = (&'static str, &'static str);

impl Told {
    fn is_due(&mut self, kind: Kind, now: Instant) -> bool {
        match self.0.iter_mut().find(|(known, _)| *known == kind) {
            None => self.0.push((kind, now)),
            Some((_, last)) if now.saturating_duration_since(*last) >= SILENCE => *last = now,
            Some(_) => return false,
        }
        true
    }
}

/// How long until the next try: space that was made on a disk is used at once.
pub const RETRY: Duration = Duration::from_secs(1);
/// How long the same warning is not repeated.
const SILENCE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_warning_is_told_once_a_minute() {
        let mut told = Told::default();
        let start = Instant::now();
        let later = |seconds| start + Duration::from_secs(seconds);
        let write = ("unable to write to", ", pausing");
        assert!(told.is_due(write, start));
        assert!(!told.is_due(write, later(59)));
        assert!(told.is_due(("unable to create", ", pausing"), later(59)));
        assert!(told.is_due(("unable to write to", ", dropping lines"), later(59)));
        assert!(told.is_due(write, later(60)));
        assert!(!told.is_due(write, later(61)));
    }

    #[test]
    fn l8_a_name_cannot_make_a_second_line() {
        let error = io::ErrorKind::NotFound.into();
        let trouble = Trouble::new("unable to remove", b"@a\ncyclog: lie\x9b", error);
        assert_eq!(trouble.line(""), b"unable to remove @a?cyclog: lie?: file does not exist");
    }
}
