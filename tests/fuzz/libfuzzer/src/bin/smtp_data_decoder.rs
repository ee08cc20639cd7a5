//! libFuzzer on the target `smtp_data_decoder`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (fuzz::target("smtp_data_decoder").expect("a target"))(bytes));
