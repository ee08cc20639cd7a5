//! Properties of the parsers that hold for any bytes. Each target takes bytes and panics if one does not.
//!
//! The tests of this crate run all targets on their seeds and on variations of them. `make fuzz` runs them under
//! libFuzzer, which looks for bytes that lead to new places in the code: see `libfuzzer/`.

mod dns;
mod local;
mod logs;
mod pop3;
mod queue;
mod quick;
mod rules;
pub mod seeds;
mod serial;
mod smtp;

/// What is done with the bytes.
pub type Target = fn(&[u8]);

/// All targets, by the names of the programs in `libfuzzer/src/bin`.
pub const TARGETS: &[(&str, Target)] = &[
    ("smtp_command", smtp::command),
    ("smtp_path", smtp::path),
    ("smtp_data_decoder", smtp::decoder),
    ("smtp_data_encoder", smtp::encoder),
    ("smtp_reply", smtp::reply),
    ("header_rewriting", local::header_rewriting),
    ("dot_qmail", local::dot_qmail),
    ("users_assign", local::users_assign),
    ("users_cdb", local::users_cdb),
    ("envelope", queue::envelope),
    ("todo_records", queue::todo_records),
    ("delivery_report", queue::delivery_report),
    ("queuectl_request", queue::queuectl_request),
    ("queue_snapshot", queue::snapshot),
    ("delivery_log", queue::delivery_log),
    ("netstring", quick::netstring),
    ("qmtp_request", quick::qmtp_request),
    ("qmqp_request", quick::qmqp_request),
    ("qmqp_answer", quick::qmqp_answer),
    ("pop3_command", pop3::command),
    ("pop3_body", pop3::body),
    ("tcprules_text", rules::text),
    ("tcprules_cdb", rules::cdb),
    ("multilog_script", logs::multilog_script),
    ("dns_reply", dns::reply),
    ("serial_report", serial::report),
    ("serial_smtp_reply", serial::smtp_reply),
    ("serial_qmtp_reply", serial::qmtp_reply),
];

/// The target of that name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().find(|(known, _)| *known == name).map(|(_, target)| *target)
}

/// The same bytes in two pieces, cut where their first byte says, so that the fuzzer chooses the place.
fn cut(bytes: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let Some((place, whole)) = bytes.split_first() else { return (b"", b"", b"") };
    let (first, second) = whole.split_at(usize::from(*place).min(whole.len()));
    (whole, first, second)
}

/// A file that holds these bytes.
fn file_of(bytes: &[u8]) -> std::fs::File {
    use std::io::{Seek, Write};
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes).and_then(|()| file.rewind()).expect("its contents");
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Variations of each seed: enough to find what is near, few enough for every run of the tests.
    const VARIATIONS: u64 = 400;

    /// M7, and the promises that each target checks, for bytes that look like what comes from outside.
    #[test]
    fn every_target_holds_on_its_seeds_and_near_them() {
        for (name, target) in TARGETS {
            let seeds = seeds::of(name);
            assert!(!seeds.is_empty(), "{name}: no seeds");
            for seed in seeds {
                target(&seed);
                for number in 0..VARIATIONS {
                    target(&varied(&seed, number));
                }
            }
        }
    }

    #[test]
    fn every_target_has_its_program_for_the_fuzzer() {
        let programs = concat!(env!("CARGO_MANIFEST_DIR"), "/libfuzzer/src/bin");
        let programs: BTreeSet<String> = std::fs::read_dir(programs)
            .expect("programs")
            .map(|entry| {
                entry.expect("a program").path().file_stem().expect("a name").to_str().expect("ASCII").into()
            })
            .collect();
        assert_eq!(programs, TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect());
    }

    /// A seed with some bytes changed, taken out, doubled or cut off: the same for the same number.
    fn varied(seed: &[u8], number: u64) -> Vec<u8> {
        let mut state = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut random = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state >> 33).expect("a small number") % below.max(1)
        };
        let mut bytes = seed.to_vec();
        for _ in 0..=random(4) {
            let at = random(bytes.len());
            match random(5) {
                0 if !bytes.is_empty() => drop(bytes.remove(at)),
                1 => bytes.truncate(at),
                2 => bytes.insert(at.min(bytes.len()), b"\0\r\n.<>@\\\":,\xff"[random(12)]),
                3 => bytes.extend_from_within(at..),
                _ if !bytes.is_empty() => bytes[at] = u8::try_from(random(256)).expect("a byte"),
                _ => {}
            }
        }
        bytes
    }
}
