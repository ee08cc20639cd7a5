//! Time stamps: seconds and fractions of the system's clock, and the labels made of them.

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};

/// 2^62: what a TAI64 label adds to seconds since 1970. (daemontools 0.53 adds nothing else.)
const TAI64_BASE: u64 = 1 << 62;
/// TAI was ten seconds ahead of UTC in 1970; leap seconds since then are not counted, as in daemontools 0.76.
const TAI64_OFFSET: u64 = 10;

/// A moment, in Unix seconds and nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// Seconds since 1970-01-01 00:00:00 UTC.
    pub seconds: u64,
    /// Nanoseconds, below 1,000,000,000.
    pub nanoseconds: u32,
}

impl Stamp {
    /// The system's clock. A clock before 1970 reads as 1970.
    pub fn now() -> Stamp {
        let time = clock_gettime(ClockId::CLOCK_REALTIME).ok();
        let part =
            |time: TimeSpec| Some((u64::try_from(time.tv_sec()).ok()?, u32::try_from(time.tv_nsec()).ok()?));
        let (seconds, nanoseconds) = time.and_then(part).unwrap_or_default();
        Stamp { seconds, nanoseconds }
    }

    /// Whole microseconds of the fraction.
    pub fn microseconds(self) -> u32 {
        self.nanoseconds / 1000
    }

    /// The first 12 bytes of a daemontools 0.53 status file: 2^62 + seconds, microseconds × 1000, big-endian.
    pub fn to_status_0_53(self) -> [u8; 12] {
        label(TAI64_BASE.saturating_add(self.seconds), self.microseconds().saturating_mul(1000))
    }

    /// Reads what [`to_status_0_53`](Stamp::to_status_0_53) wrote. Earlier than 1970 reads as 1970.
    pub fn from_status_0_53(bytes: [u8; 12]) -> Stamp {
        let [a, b, c, d, e, f, g, h, nanoseconds @ ..] = bytes;
        let seconds = u64::from_be_bytes([a, b, c, d, e, f, g, h]).saturating_sub(TAI64_BASE);
        Stamp { seconds, nanoseconds: u32::from_be_bytes(nanoseconds) }
    }

    /// A TAI64N label as daemontools 0.76 makes it: 2^62 + 10 + seconds, microseconds × 1000 + 500, big-endian.
    pub fn to_tai64n(self) -> [u8; 12] {
        let seconds = TAI64_BASE.saturating_add(TAI64_OFFSET).saturating_add(self.seconds);
        label(seconds, self.microseconds().saturating_mul(1000).saturating_add(500))
    }

    /// Reads what [`to_tai64n`](Stamp::to_tai64n) wrote. Earlier than 1970 reads as 1970.
    pub fn from_tai64n(bytes: [u8; 12]) -> Stamp {
        let Stamp { seconds, nanoseconds } = Stamp::from_status_0_53(bytes);
        Stamp { seconds: seconds.saturating_sub(TAI64_OFFSET), nanoseconds }
    }
}

fn label(seconds: u64, nanoseconds: u32) -> [u8; 12] {
    let mut bytes = [0; 12];
    let (head, tail) = bytes.split_at_mut(8);
    head.copy_from_slice(&seconds.to_be_bytes());
    tail.copy_from_slice(&nanoseconds.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_label_is_the_one_of_the_manual() {
        let stamp = Stamp { seconds: 0x6b02_dc69, nanoseconds: 0x198e_34b0 };
        let bytes = stamp.to_status_0_53();
        assert_eq!(bytes, [0x40, 0, 0, 0, 0x6b, 0x02, 0xdc, 0x69, 0x19, 0x8e, 0x34, 0xb0]);
        assert_eq!(Stamp::from_status_0_53(bytes), stamp);
    }

    #[test]
    fn a_tai64n_label_is_ten_seconds_ahead() {
        let stamp = Stamp { seconds: 0, nanoseconds: 1_999 };
        assert_eq!(stamp.to_tai64n(), [0x40, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0x05, 0xdc]);
        assert_eq!(Stamp::from_tai64n(stamp.to_tai64n()), Stamp { seconds: 0, nanoseconds: 1_500 });
    }
}
