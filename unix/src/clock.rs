//! Two clocks: the one on the wall, which anybody may set, and a steady one for intervals.

use nix::time::{ClockId, clock_gettime};

/// What both clocks showed at one moment, in whole seconds.
///
/// What was written on disk is on the wall clock's time; what a program waits for is on the steady one's,
/// so that a clock that is set, by a second or by years, hurries and delays nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Seconds since 1970.
    pub wall: i64,
    /// Seconds since the machine was started, including those that it slept.
    pub steady: i64,
}

impl Now {
    /// Reads both clocks.
    pub fn read() -> Now {
        Now { wall: seconds(ClockId::CLOCK_REALTIME), steady: seconds(ClockId::CLOCK_BOOTTIME) }
    }

    /// The steady time of a moment that the wall clock calls `wall`, as far as can be said now.
    pub fn steady_of(self, wall: i64) -> i64 {
        self.steady.saturating_sub(self.wall.saturating_sub(wall))
    }

    /// The wall clock's time of a moment on the steady clock.
    pub fn wall_of(self, steady: i64) -> i64 {
        self.wall.saturating_add(steady.saturating_sub(self.steady))
    }
}

fn seconds(clock: ClockId) -> i64 {
    clock_gettime(clock).map(|time| time.tv_sec()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_keeps_its_distance_on_either_clock() {
        let now = Now { wall: 1_000_000, steady: 50 };
        assert_eq!(now.steady_of(1_000_010), 60);
        assert_eq!(now.steady_of(999_000), -950);
        assert_eq!(now.wall_of(60), 1_000_010);
    }
}
