//! When a message is tried again, and when for the last time. qmail-send(8), "RETRY SCHEDULE".
//!
//! Attempts come at ages that are squares: 0, 100, 400, 900 … seconds locally, 0, 400, 1600, 3600 … remotely.
//! So a message waits the longer the longer it has waited, and none waits for all others.

use super::channel::Channel;

/// The schedule of one pass over a message, decided when the pass begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The age, in seconds, at which recipients that fail for now are tried next.
    pub next_age: i64,
    /// Whether this attempt is the last: what fails for now is given up.
    pub dying: bool,
}

/// Plans a pass over a message of this age. An age below 0 (the clock was set back) counts as 0.
pub fn plan(channel: Channel, age: i64, lifetime: i64) -> Plan {
    let skip = match channel {
        Channel::Local => 10,
        Channel::Remote => 20,
    };
    let root = age.max(0).isqrt().saturating_add(skip);
    Plan { next_age: root.saturating_mul(root), dying: age > lifetime }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ideal_attempts_are_squares_of_ten_and_of_twenty() {
        for (channel, step) in [(Channel::Local, 10), (Channel::Remote, 20)] {
            let mut age = 0;
            for n in 1..50_i64 {
                age = plan(channel, age, 604_800).next_age;
                assert_eq!(age, (n * step) * (n * step));
            }
        }
    }

    #[test]
    fn an_attempt_that_came_late_goes_on_from_its_own_age() {
        assert_eq!(plan(Channel::Remote, 1, 604_800).next_age, 441);
    }

    #[test]
    fn a_message_dies_after_its_lifetime_and_never_because_the_clock_went_back() {
        assert!(!plan(Channel::Local, 604_800, 604_800).dying);
        assert!(plan(Channel::Local, 604_801, 604_800).dying);
        assert_eq!(plan(Channel::Local, -1_000_000, 604_800), Plan { next_age: 100, dying: false });
    }
}
