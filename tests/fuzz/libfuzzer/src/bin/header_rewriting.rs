//! libFuzzer on the target `header_rewriting`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (fuzz::target("header_rewriting").expect("a target"))(bytes));
