//! libFuzzer on the target `delivery_log`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (fuzz::target("delivery_log").expect("a target"))(bytes));
