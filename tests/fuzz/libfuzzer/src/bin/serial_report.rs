//! libFuzzer on the target `serial_report`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (fuzz::target("serial_report").expect("a target"))(bytes));
