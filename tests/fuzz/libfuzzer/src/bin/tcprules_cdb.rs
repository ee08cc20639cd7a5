//! libFuzzer on the target `tcprules_cdb`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (fuzz::target("tcprules_cdb").expect("a target"))(bytes));
