//! libFuzzer on the target `tcprules_text`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (fuzz::target("tcprules_text").expect("a target"))(bytes));
