//! libFuzzer on the target `users_assign`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (fuzz::target("users_assign").expect("a target"))(bytes));
