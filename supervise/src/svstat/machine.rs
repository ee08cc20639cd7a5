//! The same for machines: JSON, and the text format of Prometheus.

use super::look::{Seen, Trouble};
use crate::supervise::state::Want;
use crate::supervise::status::Phase;
use unix::json::{self, quoted};
use unix::stamp::Stamp;

type Look = Result<Seen, Trouble>;

/// One object, and a newline. Times are seconds since 1970. What is not known is left out.
pub fn json(name: &[u8], look: &Look, now: Stamp) -> String {
    let mut fields = vec![("service", quoted(name))];
    match look {
        Ok(seen) => fields.extend(json_fields(seen, now)),
        Err(trouble) => {
            fields.push(("supervised", false.to_string()));
            fields.push(("trouble", quoted(trouble.text())));
        }
    }
    json::object(&fields) + "\n"
}

fn json_fields(seen: &Seen, now: Stamp) -> Vec<(&'static str, String)> {
    let status = &seen.status;
    let up_or_down = |up: bool| quoted(if up { b"up" } else { b"down" });
    let want: &[u8] = match status.want {
        Want::Up => b"up",
        Want::Down => b"down",
        Want::Once => b"once",
    };
    let mut fields = vec![
        ("supervised", seen.is_supervised.to_string()),
        ("state", up_or_down(status.pid.is_some())),
        ("since", status.since.seconds.to_string()),
        ("seconds", now.seconds.saturating_sub(status.since.seconds).to_string()),
        ("paused", status.paused.to_string()),
        ("want", quoted(want)),
        ("normally", up_or_down(seen.normally_up)),
    ];
    fields.extend(status.pid.map(|pid| ("pid", pid.to_string())));
    if let Some(details) = &seen.details {
        let phase: &[u8] = match details.phase {
            Phase::Down => b"down",
            Phase::Up => b"up",
            Phase::Finishing => b"finishing",
            Phase::BackingOff => b"backing off",
            Phase::Failed => b"failed",
            Phase::Waiting => b"waiting",
        };
        fields.push(("phase", quoted(phase)));
        fields.push(("starts", details.starts.to_string()));
        fields.push(("back_off", details.back_off.to_string()));
        fields.push(("ready", details.ready.is_some().to_string()));
        fields.extend(details.ready.map(|ready| ("ready_since", ready.seconds.to_string())));
        fields.extend(details.last_end.map(last_end));
    }
    fields
}

/// The two halves of what `wait(2)` gives.
fn last_end(wait_status: i32) -> (&'static str, String) {
    match wait_status & 0x7f {
        0 => ("last_exit", (wait_status >> 8 & 0xff).to_string()),
        signal => ("last_signal", signal.to_string()),
    }
}

/// A metric: its name, its type, what it says, and its value for a service that has one.
type Metric = (&'static str, &'static str, &'static str, fn(&Seen) -> Option<u64>);

const METRICS: &[Metric] = &[
    ("service_up", "gauge", "Whether the process of the service runs.", |seen| {
        Some(u64::from(seen.status.pid.is_some()))
    }),
    ("service_wanted_up", "gauge", "Whether supervise starts it again when it ends.", |seen| {
        Some(u64::from(seen.status.want == Want::Up))
    }),
    ("service_normally_up", "gauge", "Whether it is meant to be up.", |seen| {
        Some(u64::from(seen.normally_up))
    }),
    ("service_paused", "gauge", "Whether supervise was told to pause it.", |seen| {
        Some(u64::from(seen.status.paused))
    }),
    ("service_changed_timestamp_seconds", "gauge", "When it was started or ended.", |seen| {
        Some(seen.status.since.seconds)
    }),
    ("service_ready", "gauge", "Whether it said that it is ready.", |seen| {
        seen.details.map(|details| u64::from(details.ready.is_some()))
    }),
    ("service_failed", "gauge", "Whether it said that it must not be started again.", |seen| {
        seen.details.map(|details| u64::from(details.phase == Phase::Failed))
    }),
    ("service_starts_total", "counter", "How often supervise has started it.", |seen| {
        seen.details.map(|details| u64::from(details.starts))
    }),
];

/// All metrics of all services.
pub fn metrics(looks: &[(&[u8], Look)]) -> String {
    let supervised = |look: &Look| look.as_ref().is_ok_and(|seen| seen.is_supervised);
    let samples = looks.iter().map(|(name, look)| (*name, Some(u64::from(supervised(look)))));
    let mut text = metric("service_supervised", "gauge", "Whether supervise runs for the service.", samples);
    for (name, kind, help, value) in METRICS {
        let samples = looks.iter().map(|(name, look)| (*name, look.as_ref().ok().and_then(value)));
        text.push_str(&metric(name, kind, help, samples));
    }
    text
}

fn metric<'a>(
    name: &str,
    kind: &str,
    help: &str,
    samples: impl Iterator<Item = (&'a [u8], Option<u64>)>,
) -> String {
    let samples: String = samples
        .filter_map(|(service, value)| Some(format!("{name}{{service={}}} {}\n", quoted(service), value?)))
        .collect();
    if samples.is_empty() {
        return samples;
    }
    format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{samples}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervise::service_dir::Layout;
    use crate::supervise::status::{Details, Status};

    const SINCE: Stamp = Stamp { seconds: 869_197_736, nanoseconds: 0 };

    fn seen(details: Option<Details>) -> Look {
        let status = Status { since: SINCE, pid: Some(70), paused: false, want: Want::Up };
        Ok(Seen { layout: Layout::Nested, is_supervised: true, normally_up: true, status, details })
    }

    #[test]
    fn a_service_is_one_object() {
        let now = Stamp { seconds: SINCE.seconds + 5, ..SINCE };
        let plain = r#"{"service":"a\"b","supervised":true,"state":"up","since":869197736,"seconds":5,"#
            .to_owned()
            + r#""paused":false,"want":"up","normally":"up","pid":70"#;
        assert_eq!(json(b"a\"b", &seen(None), now), format!("{plain}}}\n"));
        let details =
            Details { phase: Phase::Up, last_end: Some(256), ready: Some(SINCE), starts: 2, back_off: 0 };
        let more =
            r#","phase":"up","starts":2,"back_off":0,"ready":true,"ready_since":869197736,"last_exit":1}"#;
        assert_eq!(json(b"a\"b", &seen(Some(details)), now), format!("{plain}{more}\n"));
        let trouble = Err(Trouble::Line("supervise not running".to_owned()));
        let expected = "{\"service\":\"a\\nb\",\"supervised\":false,\"trouble\":\"supervise not running\"}\n";
        assert_eq!(json(b"a\nb", &trouble, now), expected);
    }

    #[test]
    fn the_samples_of_a_metric_stand_together() {
        let looks = [
            (b"one".as_slice(), seen(None)),
            (b"two".as_slice(), Err(Trouble::Line("supervise not running".to_owned()))),
        ];
        let text = metrics(&looks);
        let start = "# HELP service_supervised Whether supervise runs for the service.\n\
                     # TYPE service_supervised gauge\n\
                     service_supervised{service=\"one\"} 1\n\
                     service_supervised{service=\"two\"} 0\n\
                     # HELP service_up Whether the process of the service runs.\n\
                     # TYPE service_up gauge\n\
                     service_up{service=\"one\"} 1\n";
        assert!(text.starts_with(start), "{text}");
        assert!(!text.contains("service_ready"));
        assert_eq!(metrics(&[]), "");
    }
}
