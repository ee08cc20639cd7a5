//! Waiting for something to happen, long enough for a slow machine and no longer than needed.

use std::time::{Duration, Instant};

/// How long a test waits before it says that something did not happen. Not a claim about speed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until the condition holds.
///
/// # Panics
/// With `what` in the message, if it does not.
pub fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    assert!(settles(condition), "waited {} s in vain: {what}", PATIENCE.as_secs());
}

/// Whether the condition comes to hold while we are patient.
pub fn settles(condition: impl FnMut() -> bool) -> bool {
    settles_within(PATIENCE, Duration::from_millis(10), condition)
}

/// Longest pause between two looks.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// The same with another patience, and another pause between the first looks. Whoever has waited long looks less often: a test
/// that waits in vain should leave the processor to others.
pub fn settles_within(patience: Duration, pause: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < patience {
        if condition() {
            return true;
        }
        std::thread::sleep(pause.max(LONGEST_PAUSE.min(start.elapsed() / 50)));
    }
    condition()
}
