//! `tailocal` tells the same local times as `tai64nlocal`, for decimal stamps.

use harness::{Call, installed, skipped};
use std::path::Path;

fn tailocal(zone: &str, input: impl AsRef<[u8]>) -> String {
    let outcome = Call::ours("tailocal").env("TZ", zone).input(input).run();
    assert_eq!((outcome.code, outcome.err_text()), (0, String::new()));
    outcome.out_text()
}

/// A moment every 40 days or so from 1974 to 2080, at all times of day, and both sides of two changes of the clock.
fn moments() -> impl Iterator<Item = u64> {
    let changes = [1_792_889_999, 1_792_890_000, 1_774_745_999, 1_774_746_000, 869_197_736, 4_102_444_800];
    (0..1000).map(|number| 126_230_400 + number * 3_456_789).chain(changes)
}

#[test]
fn stamps_become_local_time_and_the_rest_of_the_line_stays() {
    assert_eq!(tailocal("UTC0", "869197736.542713 one\n"), "1997-07-18 03:48:56.542713 one\n");
    assert_eq!(
        tailocal("PST8PDT,M4.1.0,M10.5.0", "869197736.542713 one\n"),
        "1997-07-17 20:48:56.542713 one\n"
    );
    assert_eq!(tailocal("UTC0", "869197736 up pid 12\n"), "1997-07-18 03:48:56 up pid 12\n");
    assert_eq!(tailocal("UTC0", "869197736\n"), "1997-07-18 03:48:56\n");
    assert_eq!(tailocal("UTC0", "0.000001 no clock\n"), "1970-01-01 00:00:00.000001 no clock\n");
}

#[test]
fn every_moment_has_the_offset_that_was_in_force_then_as_in_tai64nlocal() {
    let zones = [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "EST5EDT,M3.2.0,M11.1.0",
        "Nowhere/At_All",
    ];
    let Some(reference) = installed("tai64nlocal") else {
        return skipped("the reference program tai64nlocal is not installed");
    };
    let decimal: String = moments().map(|moment| format!("{moment}.123456 x\n")).collect();
    let labels: String = moments()
        .map(|moment| format!("@{:016x}{:08x} x\n", (1_u64 << 62) + 10 + moment, 123_456_000))
        .collect();
    let mut seen = Vec::new();
    for zone in zones {
        let theirs = Call::path(&reference).env("TZ", zone).input(&labels).run().out_text();
        let ours = tailocal(zone, &decimal);
        assert_eq!(ours, theirs.replace(".123456000 x", ".123456 x"), "{zone}");
        seen.push(ours);
    }
    assert_ne!(seen[0], seen[1], "this machine knows no time zones");
}

#[test]
fn without_tz_the_zone_is_that_of_the_system() {
    let run = |path: &Path, input: &str| {
        let mut call = Call::path(path).input(input);
        call.command().env_remove("TZ");
        call.run().out_text()
    };
    let Some(reference) = installed("tai64nlocal") else {
        return skipped("the reference program tai64nlocal is not installed");
    };
    let theirs = run(&reference, "@4000000037c219bf2ef02e94 mark\n");
    let ours = run(&harness::program("tailocal"), "935467445 mark\n");
    assert_eq!(ours, theirs.replace(".787492500", ""));
}

#[test]
fn lines_without_a_stamp_pass_unchanged_as_through_tai64nlocal() {
    let input = "no stamp\n\n 869197736 x\n-5 x\n12 apples\n192.168.0.1 x\n869197736z\nnul \0 \u{e9}\n";
    assert_eq!(tailocal("UTC0", input), input);
    match installed("tai64nlocal") {
        Some(reference) => assert_eq!(Call::path(&reference).input(input).run().out_text(), input),
        None => skipped("the reference program tai64nlocal is not installed"),
    }
}

#[test]
fn numbers_that_have_no_local_time_pass_unchanged() {
    let input =
        "99999999999999999999 x\n9223372036854775807 x\n123456789012345678901234567890 x\n253402300800 x\n";
    assert_eq!(tailocal("UTC0", input), input);
    assert_eq!(tailocal("UTC0", "253402300799 x\n"), "9999-12-31 23:59:59 x\n");
}

#[test]
fn a_partial_last_line_stays_partial() {
    assert_eq!(tailocal("UTC0", "869197736.5427"), "1997-07-18 03:48:56.5427");
    assert_eq!(tailocal("UTC0", "a\nb"), "a\nb");
    assert_eq!(tailocal("UTC0", ""), "");
    // The number may have been cut, so it is not converted, and not dropped either.
    assert_eq!(tailocal("UTC0", "a\n869197736"), "a\n869197736");
}
