//! libFuzzer on the target `dot_qmail`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (fuzz::target("dot_qmail").expect("a target"))(bytes));
