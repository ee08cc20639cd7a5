//! libFuzzer on the target `delivery_report`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (fuzz::target("delivery_report").expect("a target"))(bytes));
