//! Dates as the mail system writes them.

use time::OffsetDateTime;
use unix::local_time;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// A moment of the calendar, in UTC.
struct Calendar {
    weekday: &'static str,
    day: u8,
    month: &'static str,
    month_number: u8,
    year: i32,
    time: String,
}

impl Calendar {
    /// Seconds since 1970; what lies after the year 9999 is shown as its end.
    fn at(seconds: u64) -> Calendar {
        const LAST: i64 = 253_402_300_799;
        let seconds = i64::try_from(seconds).unwrap_or(LAST).min(LAST);
        let moment = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let month_number = u8::from(moment.month());
        Calendar {
            weekday: name(&WEEKDAYS, moment.weekday().number_days_from_monday()),
            day: moment.day(),
            month: name(&MONTHS, month_number.saturating_sub(1)),
            month_number,
            year: moment.year(),
            time: format!("{:02}:{:02}:{:02}", moment.hour(), moment.minute(), moment.second()),
        }
    }
}

fn name(names: &[&'static str], at: u8) -> &'static str {
    names.get(usize::from(at)).copied().unwrap_or("")
}

/// `2 Jan 2024 03:04:05 -0000`: a header's date (RFC 5322 §3.3), always UTC, without weekday.
pub fn rfc5322(seconds: u64) -> String {
    let at = Calendar::at(seconds);
    format!("{} {} {} {} -0000", at.day, at.month, at.year, at.time)
}

/// `2 Jan 2024 05:04:05 +0200`: a header's date in the local time zone, its offset in whole minutes.
///
/// A moment whose local time the system cannot tell is shown in UTC.
pub fn rfc5322_local(seconds: u64) -> String {
    let (Some(time), Some(offset)) = (local_time::at(seconds), local_time::offset_at(seconds)) else {
        return rfc5322(seconds);
    };
    let month = name(&MONTHS, time.month.saturating_sub(1));
    let sign = if offset < 0 { '-' } else { '+' };
    let minutes = offset.unsigned_abs() / 60;
    format!(
        "{} {} {} {:02}:{:02}:{:02} {sign}{:02}{:02}",
        time.day,
        month,
        time.year,
        time.hour,
        time.minute,
        time.second,
        minutes / 60,
        minutes % 60
    )
}

/// `Sun Sep 09 01:46:40 2001`: the date of an mbox `From ` line, UTC, the day with two digits.
pub fn mbox(seconds: u64) -> String {
    let at = Calendar::at(seconds);
    format!("{} {} {:02} {} {}", at.weekday, at.month, at.day, at.time, at.year)
}

/// `20240102030405`: the date inside a Message-ID, UTC.
pub fn compact(seconds: u64) -> String {
    let at = Calendar::at(seconds);
    format!("{:04}{:02}{:02}{}", at.year, at.month_number, at.day, at.time.replace(':', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_the_documented_one() {
        assert_eq!(rfc5322(1_704_164_645), "2 Jan 2024 03:04:05 -0000");
        assert_eq!(mbox(1_000_000_000), "Sun Sep 09 01:46:40 2001");
        assert_eq!(compact(1_704_164_645), "20240102030405");
    }

    #[test]
    fn a_date_beyond_the_calendar_is_still_a_date() {
        assert_eq!(rfc5322(u64::MAX), "31 Dec 9999 23:59:59 -0000");
    }
}
