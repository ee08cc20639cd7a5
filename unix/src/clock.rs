//! Two clocks: the one on the wall, which anybody may set, and a steady one for intervals.

use nix::time::{ClockId, clock_gettime};
use std::sync::OnceLock;

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
        let (wall, steady) = (nanoseconds(ClockId::CLOCK_REALTIME), nanoseconds(ClockId::CLOCK_BOOTTIME));
        let phase = *PHASE.get_or_init(|| wall.saturating_sub(steady).rem_euclid(SECOND));
        Now { wall: wall.div_euclid(SECOND), steady: steady.saturating_add(phase).div_euclid(SECOND) }
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

/// How far into a second of the steady clock this process lets its seconds begin: where those of the wall clock
/// do. So a time that is carried from one clock to the other and back is the same, to the second.
static PHASE: OnceLock<i64> = OnceLock::new();
const SECOND: i64 = 1_000_000_000;

/// Enough for wall clocks until 2262.
fn nanoseconds(clock: ClockId) -> i64 {
    let read = clock_gettime(clock);
    read.map(|time| time.tv_sec().saturating_mul(SECOND).saturating_add(time.tv_nsec())).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Were it not so, what a message waits for could be a second off.
    #[test]
    fn the_seconds_of_both_clocks_begin_together() {
        let first = Now::read();
        for _ in 0..150 {
            let now = Now::read();
            let drift = (now.wall - now.steady) - (first.wall - first.steady);
            // Between the two readings the second may have ended.
            let again = Now::read();
            let drift =
                if drift == 0 { 0 } else { (again.wall - again.steady) - (first.wall - first.steady) };
            assert_eq!(drift, 0, "{first:?} {now:?} {again:?}");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    #[test]
    fn a_moment_keeps_its_distance_on_either_clock() {
        let now = Now { wall: 1_000_000, steady: 50 };
        assert_eq!(now.steady_of(1_000_010), 60);
        assert_eq!(now.steady_of(999_000), -950);
        assert_eq!(now.wall_of(60), 1_000_010);
    }
}
