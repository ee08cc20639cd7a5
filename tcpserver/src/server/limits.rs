//! How many connections are served at a time, and how fast accepting is tried again after it failed.

use std::time::{Duration, Instant};

/// Children that run, and how many may.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slots {
    used: u64,
    limit: u64,
}

impl Slots {
    /// None in use.
    pub fn new(limit: u64) -> Slots {
        Slots { used: 0, limit }
    }

    /// Whether the next connection has to wait.
    pub fn are_full(&self) -> bool {
        self.used >= self.limit
    }

    /// A child was started.
    pub fn take(&mut self) {
        self.used = self.used.saturating_add(1);
    }

    /// A child ended.
    pub fn give_back(&mut self) {
        self.used = self.used.saturating_sub(1);
    }

    /// How many are in use, and of how many.
    pub fn numbers(&self) -> (u64, u64) {
        (self.used, self.limit)
    }
}

/// Pauses after `accept` failed: 10 ms, doubling to 1 s, until it works again.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    current: Option<Pause>,
    logged: Option<Instant>,
}

#[derive(Debug)]
struct Pause {
    until: Instant,
    length: Duration,
}

impl Backoff {
    /// Notes a failure; whether it should be logged, which is true once in 10 s.
    pub fn failed(&mut self, now: Instant) -> bool {
        let doubled = self.current.as_ref().map(|pause| pause.length.saturating_mul(2));
        let length = doubled.unwrap_or(FIRST_PAUSE).min(LONGEST_PAUSE);
        self.current = Some(Pause { until: now.checked_add(length).unwrap_or(now), length });
        let is_due = self.logged.is_none_or(|last| now.saturating_duration_since(last) >= LOG_INTERVAL);
        if is_due {
            self.logged = Some(now);
        }
        is_due
    }

    /// Notes that accepting worked.
    pub fn succeeded(&mut self) {
        self.current = None;
    }

    /// How much longer to wait before the next attempt.
    pub fn pause(&self, now: Instant) -> Option<Duration> {
        let left = self.current.as_ref()?.until.saturating_duration_since(now);
        (left > Duration::ZERO).then_some(left)
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const LOG_INTERVAL: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_a_second_and_start_anew_after_success() {
        let mut backoff = Backoff::default();
        let now = Instant::now();
        let mut pauses = Vec::new();
        for _ in 0..9 {
            backoff.failed(now);
            pauses.push(backoff.pause(now).unwrap().as_millis());
        }
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        backoff.succeeded();
        assert_eq!(backoff.pause(now), None);
        backoff.failed(now);
        assert_eq!(backoff.pause(now).unwrap().as_millis(), 10);
        assert_eq!(backoff.pause(now + Duration::from_millis(10)), None);
    }

    #[test]
    fn failures_are_logged_once_in_ten_seconds() {
        let mut backoff = Backoff::default();
        let start = Instant::now();
        let logged = (0..25).filter(|second| backoff.failed(start + Duration::from_secs(*second)));
        assert_eq!(logged.collect::<Vec<u64>>(), [0, 10, 20]);
    }

    #[test]
    fn slots_never_go_below_none() {
        let mut slots = Slots::new(1);
        slots.give_back();
        assert!(!slots.are_full());
        slots.take();
        assert!(slots.are_full());
        assert_eq!(slots.numbers(), (1, 1));
        assert!(Slots::new(0).are_full());
    }
}
