//! Calendar time where the administrator is, as localtime(3) has it for each moment (`TZ`, summer time, history).

/// A date and a time of day in the local time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// The year, counted as people do.
    pub year: i64,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 60; 60 is a leap second, in time zones that count them.
    pub second: u8,
}

/// The local time at a moment, given in seconds since 1970-01-01 00:00:00 UTC, as any type of integer.
///
/// `None` if the system cannot tell: the year does not fit its calendar.
pub fn at<Seconds: TryInto<nix::libc::time_t>>(seconds: Seconds) -> Option<LocalTime> {
    let fields = broken_down(seconds.try_into().ok()?)?;
    Some(LocalTime {
        year: i64::from(fields.tm_year).checked_add(1900)?,
        month: u8::try_from(fields.tm_mon.checked_add(1)?).ok()?,
        day: u8::try_from(fields.tm_mday).ok()?,
        hour: u8::try_from(fields.tm_hour).ok()?,
        minute: u8::try_from(fields.tm_min).ok()?,
        second: u8::try_from(fields.tm_sec).ok()?,
    })
}

/// How many seconds the local time is ahead of UTC at a moment, negative west of it; the moment as for [`at`].
pub fn offset_at<Seconds: TryInto<nix::libc::time_t>>(seconds: Seconds) -> Option<i64> {
    Some(broken_down(seconds.try_into().ok()?)?.tm_gmtoff)
}

fn broken_down(moment: nix::libc::time_t) -> Option<nix::libc::tm> {
    // SAFETY: `tm` consists of integers and of a pointer that C may leave null; all zeroes is a value of it.
    let mut fields: nix::libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live values of the right types for the time of the call. The call may read
    // TZ from the environment (glibc and musl do so themselves at the first call), and no program of the suite
    // changes its own environment. The pointer in `tm_zone` is not used.
    let result = unsafe { nix::libc::localtime_r(&raw const moment, &raw mut fields) };
    (!result.is_null()).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    // What the fields are depends on where the tests run; time zones are tested with tailocal, in processes
    // of its own.
    #[test]
    fn a_day_later_is_another_day() {
        let (one, other) = (at(869_197_736_u64).unwrap(), at(869_197_736_i64 + 86_400).unwrap());
        assert_eq!((one.year, one.month), (1997, 7));
        assert_ne!(one.day, other.day);
    }

    #[test]
    fn a_moment_beyond_the_calendar_has_no_local_time() {
        assert_eq!(at(u64::MAX), None);
        assert_eq!(at(i64::MAX.unsigned_abs()), None);
    }
}
