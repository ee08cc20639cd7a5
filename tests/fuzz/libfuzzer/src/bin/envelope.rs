//! libFuzzer on the target `envelope`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (fuzz::target("envelope").expect("a target"))(bytes));
