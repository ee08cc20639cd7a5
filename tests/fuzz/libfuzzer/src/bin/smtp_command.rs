//! libFuzzer on the target `smtp_command`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (fuzz::target("smtp_command").expect("a target"))(bytes));
