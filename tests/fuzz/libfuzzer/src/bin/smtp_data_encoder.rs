//! libFuzzer on the target `smtp_data_encoder`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (fuzz::target("smtp_data_encoder").expect("a target"))(bytes));
