//! libFuzzer on the target `netstring`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (fuzz::target("netstring").expect("a target"))(bytes));
