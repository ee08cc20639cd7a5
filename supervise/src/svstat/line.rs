//! The lines that people read, as either generation prints them.

use crate::supervise::state::Want;
use crate::supervise::status::{Details, Phase, Status};
use unix::stamp::Stamp;

/// Seconds since 1970 first, so that `tailocal` can make them readable.
pub fn line_0_53(status: &Status, normally_up: bool, details: Option<&Details>) -> String {
    let since = status.since.seconds;
    let process = match status.pid {
        Some(pid) => format!("{since} up pid {pid}"),
        None => format!("{since} down"),
    };
    process + &remarks(status, normally_up) + &further_remarks(details)
}

/// A stamp in the future (the clock was set back) counts as now.
pub fn line_0_76(status: &Status, normally_up: bool, details: Option<&Details>, now: Stamp) -> String {
    let seconds = now.seconds.saturating_sub(status.since.seconds);
    let process = match status.pid {
        Some(pid) => format!("up (pid {pid}) {seconds} seconds"),
        None => format!("down {seconds} seconds"),
    };
    process + &remarks(status, normally_up) + &further_remarks(details)
}

/// What differs from the expected, in this order. A service that is wanted once has no remark for that.
fn remarks(status: &Status, normally_up: bool) -> String {
    let up = status.pid.is_some();
    [
        (up && !normally_up, ", normally down"),
        (!up && normally_up, ", normally up"),
        (up && status.paused, ", paused"),
        (!up && status.want == Want::Up, ", want up"),
        (up && status.want == Want::Down, ", want down"),
    ]
    .iter()
    .filter(|(applies, _)| *applies)
    .map(|(_, remark)| *remark)
    .collect()
}

/// What a service does that asks for more than daemontools did.
fn further_remarks(details: Option<&Details>) -> String {
    let Some(details) = details else { return String::new() };
    match details.phase {
        Phase::Up if details.ready.is_some() => ", ready".to_owned(),
        Phase::Finishing => ", finishing".to_owned(),
        Phase::BackingOff => format!(", backing off {} seconds", details.back_off),
        Phase::Failed => ", failed".to_owned(),
        Phase::Waiting => ", waiting for others".to_owned(),
        Phase::Up | Phase::Down => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SINCE: Stamp = Stamp { seconds: 869_197_736, nanoseconds: 542_713_000 };

    fn line(pid: Option<u32>, paused: bool, want: Want, normally_up: bool) -> String {
        line_0_53(&Status { since: SINCE, pid, paused, want }, normally_up, None)
    }

    #[test]
    fn a_service_that_does_the_expected_has_no_remark() {
        assert_eq!(line(Some(70), false, Want::Up, true), "869197736 up pid 70");
        assert_eq!(line(None, false, Want::Down, false), "869197736 down");
        assert_eq!(line(Some(70), false, Want::Once, true), "869197736 up pid 70");
        assert_eq!(line(None, false, Want::Once, false), "869197736 down");
    }

    #[test]
    fn remarks_come_in_a_fixed_order() {
        let all = "869197736 up pid 70, normally down, paused, want down";
        assert_eq!(line(Some(70), true, Want::Down, false), all);
        assert_eq!(line(None, true, Want::Up, true), "869197736 down, normally up, want up");
    }

    #[test]
    fn the_newer_line_counts_seconds_and_never_below_zero() {
        let status = Status { since: SINCE, pid: Some(70), paused: false, want: Want::Up };
        let later = Stamp { seconds: SINCE.seconds + 12, nanoseconds: 0 };
        let earlier = Stamp { seconds: SINCE.seconds - 12, nanoseconds: 0 };
        assert_eq!(line_0_76(&status, true, None, later), "up (pid 70) 12 seconds");
        assert_eq!(line_0_76(&status, true, None, earlier), "up (pid 70) 0 seconds");
    }

    #[test]
    fn what_is_beyond_daemontools_comes_last() {
        let status = Status { since: SINCE, pid: None, paused: false, want: Want::Up };
        let details = |phase| Details { phase, last_end: None, ready: None, starts: 3, back_off: 4 };
        for (phase, remark) in [
            (Phase::Down, ""),
            (Phase::Finishing, ", finishing"),
            (Phase::BackingOff, ", backing off 4 seconds"),
            (Phase::Failed, ", failed"),
            (Phase::Waiting, ", waiting for others"),
        ] {
            let line = line_0_76(&status, true, Some(&details(phase)), SINCE);
            assert_eq!(line, format!("down 0 seconds, normally up, want up{remark}"));
        }
        let ready = Details { ready: Some(SINCE), ..details(Phase::Up) };
        let up = Status { pid: Some(70), ..status };
        assert_eq!(line_0_53(&up, true, Some(&ready)), "869197736 up pid 70, ready");
    }
}
