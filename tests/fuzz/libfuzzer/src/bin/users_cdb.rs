//! libFuzzer on the target `users_cdb`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (fuzz::target("users_cdb").expect("a target"))(bytes));
