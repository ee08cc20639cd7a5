//! libFuzzer on the target `multilog_script`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (fuzz::target("multilog_script").expect("a target"))(bytes));
