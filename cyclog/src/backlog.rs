//! The bytes that are on their way to a log, and what becomes of them when its disk is full.

use crate::patience::{Patience, RETRY, Trouble};
use std::time::{Duration, Instant};
use unix::failure::Failure;
use unix::number;

/// Where a log's bytes go. Each call is one try; [`Backlog`] decides about another.
pub trait Store {
    /// Writes some of the bytes, at least one; how many. There is at least one.
    fn write(&mut self, bytes: &[u8], patience: &mut Patience<'_>) -> Result<usize, Trouble>;

    /// Does what is due now that no byte waits.
    fn settle(&mut self, patience: &mut Patience<'_>) -> Result<(), Trouble>;

    /// Writes some of the bytes, whatever is in the way of doing it properly: the program has to end. `None` if that
    /// is impossible, too.
    fn write_at_last(&mut self, bytes: &[u8], patience: &mut Patience<'_>) -> Option<usize>;
}

/// What happens to a log when its disk is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// The service waits until there is space.
    #[default]
    Block,
    /// So many bytes are kept in memory; then the service waits.
    Spill(usize),
    /// Lines are dropped. When there is space again, one line says how many.
    Drop,
}

impl WhenFull {
    /// Reads `block`, `drop` or `spill=BYTES`.
    pub fn parse(text: &[u8]) -> Option<WhenFull> {
        match text {
            b"block" => Some(WhenFull::Block),
            b"drop" => Some(WhenFull::Drop),
            _ => {
                let bytes = number::whole(text.strip_prefix(b"spill=")?)?;
                Some(WhenFull::Spill(usize::try_from(bytes).unwrap_or(usize::MAX)))
            }
        }
    }
}

/// TERM came while bytes could not be written.
pub struct GaveUp {
    /// What was in the way.
    pub trouble: Trouble,
    /// How many bytes were not written.
    pub unwritten: usize,
}

impl From<GaveUp> for Failure {
    fn from(gave_up: GaveUp) -> Failure {
        gave_up.trouble.into_failure(gave_up.unwritten)
    }
}

/// Bytes that have been read and are not in the log yet.
pub struct Backlog {
    when_full: WhenFull,
    /// What a line of ours in the log begins with.
    line_start: fn() -> Vec<u8>,
    bytes: Vec<u8>,
    /// Whether the last byte that went into the log is not a newline.
    within_line: bool,
    gap: Option<Gap>,
    /// The line that tells of the last gap, while it waits.
    notice: Option<Notice>,
    /// Before this the full disk is not tried again.
    retry_at: Option<Instant>,
}

/// Lines that are being dropped.
struct Gap {
    lines: u64,
    /// Whether the last byte that was dropped is not a newline: the rest of the line goes, too.
    within_line: bool,
}

/// A line of ours before all other bytes that wait.
struct Notice {
    /// How many lines it says were dropped.
    lines: u64,
    /// How many bytes of it wait.
    length: usize,
}

impl Backlog {
    /// An empty one.
    pub fn new(when_full: WhenFull, line_start: fn() -> Vec<u8>) -> Backlog {
        Backlog {
            when_full,
            line_start,
            bytes: Vec::new(),
            within_line: false,
            gap: None,
            notice: None,
            retry_at: None,
        }
    }

    /// Takes bytes that belong into the log.
    pub fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// How many bytes wait.
    pub fn waiting(&self) -> usize {
        self.bytes.len()
    }

    /// When [`flush`](Backlog::flush) should be called again although nothing was added.
    pub fn retry_in(&self) -> Option<Duration> {
        self.retry_at.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// Writes all that waits, or does with it what the policy says.
    pub fn flush(&mut self, store: &mut impl Store, patience: &mut Patience<'_>) -> Result<(), GaveUp> {
        if self.retry_in().is_some_and(|wait| !wait.is_zero()) && self.keeps_up() {
            return Ok(());
        }
        self.retry_at = None;
        self.close_gap();
        self.drain(store, patience, false)
    }

    /// Writes what waits, or gives up: the log ends.
    pub fn finish(&mut self, store: &mut impl Store, patience: &mut Patience<'_>) -> Result<(), GaveUp> {
        self.retry_at = None;
        self.close_gap();
        self.drain(store, patience, true)
    }

    /// Whether nobody has to wait while the disk is full: the policy has room for what waits.
    fn keeps_up(&mut self) -> bool {
        match self.when_full {
            WhenFull::Block => false,
            WhenFull::Spill(bound) => self.bytes.len() <= bound,
            WhenFull::Drop => {
                self.drop_all();
                true
            }
        }
    }

    fn drain(
        &mut self,
        store: &mut impl Store,
        patience: &mut Patience<'_>,
        is_end: bool,
    ) -> Result<(), GaveUp> {
        let mut done = 0;
        loop {
            let rest = self.bytes.get(done..).unwrap_or_default();
            let written = if rest.is_empty() {
                store.settle(patience).map(|()| None)
            } else {
                store.write(rest, patience).map(Some)
            };
            let trouble = match written {
                Ok(Some(length)) => {
                    done = self.written(done, length);
                    continue;
                }
                Ok(None) => {
                    self.bytes.clear();
                    self.notice = None;
                    return Ok(());
                }
                Err(trouble) => trouble,
            };
            if is_end && trouble.is_full_disk() && self.when_full == WhenFull::Drop {
                patience.warn(&trouble, self.consequence());
                self.bytes.clear();
                return Ok(());
            }
            if !is_end && trouble.is_full_disk() && self.when_full != WhenFull::Block {
                self.forget(done);
                done = 0;
                if self.keeps_up() {
                    patience.warn(&trouble, self.consequence());
                    self.retry_at = Some(Instant::now() + RETRY);
                    return Ok(());
                }
            }
            if let Err(trouble) = patience.pause(trouble) {
                return self.give_up(done, trouble, store, patience);
            }
        }
    }

    /// Notes that so many bytes more went into the log; how many it is now.
    fn written(&mut self, done: usize, length: usize) -> usize {
        let done = done.saturating_add(length);
        let last = done.checked_sub(1).and_then(|last| self.bytes.get(last));
        self.within_line = last.is_some_and(|last| *last != b'\n');
        done
    }

    /// Takes away so many bytes, which have been written.
    fn forget(&mut self, done: usize) {
        self.bytes.drain(..done);
        self.notice = self.notice.take().and_then(|Notice { lines, length }| {
            let length = length.checked_sub(done).filter(|length| *length > 0)?;
            Some(Notice { lines, length })
        });
    }

    /// Whatever was in the way: what can be written is not lost.
    fn give_up(
        &mut self,
        mut done: usize,
        trouble: Trouble,
        store: &mut impl Store,
        patience: &mut Patience<'_>,
    ) -> Result<(), GaveUp> {
        loop {
            let rest = self.bytes.get(done..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            match store.write_at_last(rest, patience) {
                Some(length) => done = self.written(done, length),
                None => break,
            }
        }
        let unwritten = self.bytes.len().saturating_sub(done);
        self.bytes.clear();
        // What was in the way has been said already.
        if unwritten == 0 { Ok(()) } else { Err(GaveUp { trouble, unwritten }) }
    }

    fn consequence(&self) -> &'static str {
        match self.when_full {
            WhenFull::Drop => ", dropping lines",
            _ => ", keeping lines in memory",
        }
    }

    /// Drops all that waits. What a line of ours said and could not be written is part of what the next one says.
    fn drop_all(&mut self) {
        let gap = self.gap.get_or_insert(Gap { lines: 0, within_line: false });
        if let Some(Notice { lines, length }) = self.notice.take() {
            self.bytes.drain(..length.min(self.bytes.len()));
            gap.lines = gap.lines.saturating_add(lines);
        }
        let newlines = memchr::memchr_iter(b'\n', &self.bytes).count();
        gap.lines = gap.lines.saturating_add(newlines as u64);
        gap.within_line = self.bytes.last().map_or(gap.within_line, |last| *last != b'\n');
        self.bytes.clear();
    }

    /// Puts the line that tells of the gap before what came after it.
    fn close_gap(&mut self) {
        let Some(gap) = &mut self.gap else { return };
        if gap.within_line {
            let Some(end) = memchr::memchr(b'\n', &self.bytes) else {
                self.bytes.clear();
                return;
            };
            self.bytes.drain(..=end);
            gap.lines = gap.lines.saturating_add(1);
        }
        let lines = gap.lines;
        self.gap = None;
        if lines > 0 {
            let start: &[u8] = if self.within_line { b"\n" } else { b"" };
            let text = format!("{lines} lines dropped: out of disk space\n");
            let line = [start, &(self.line_start)(), text.as_bytes()].concat();
            self.notice = Some(Notice { lines, length: line.len() });
            self.bytes.splice(..0, line);
        }
    }
}
