//! libFuzzer on the target `serial_smtp_reply`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (fuzz::target("serial_smtp_reply").expect("a target"))(bytes));
