//! libFuzzer on the target `queue_snapshot`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (fuzz::target("queue_snapshot").expect("a target"))(bytes));
