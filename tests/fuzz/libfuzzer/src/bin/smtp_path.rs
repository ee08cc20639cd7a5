//! libFuzzer on the target `smtp_path`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (fuzz::target("smtp_path").expect("a target"))(bytes));
