//! How long a log file has been written.

use std::time::{Duration, Instant};

/// The age of a file, if files are to end at some age. It begins with the first byte, and nobody who sets the clock
/// changes it.
#[derive(Clone, Copy, Debug)]
pub struct Age {
    period: Option<Duration>,
    ends: Option<Instant>,
}

impl Age {
    /// The age of a file without a byte.
    pub fn new(period: Option<Duration>) -> Age {
        Age { period, ends: None }
    }

    /// The file has got bytes.
    pub fn begin(&mut self) {
        if self.ends.is_none() {
            self.ends = self.period.and_then(|period| Instant::now().checked_add(period));
        }
    }

    /// How long until the file should end, if it should for its age.
    pub fn rest(&self) -> Option<Duration> {
        self.ends.map(|ends| ends.saturating_duration_since(Instant::now()))
    }

    /// Whether it should end now.
    pub fn is_over(&self) -> bool {
        self.rest().is_some_and(|rest| rest.is_zero())
    }
}
