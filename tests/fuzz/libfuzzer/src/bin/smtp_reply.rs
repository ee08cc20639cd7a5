//! libFuzzer on the target `smtp_reply`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (fuzz::target("smtp_reply").expect("a target"))(bytes));
