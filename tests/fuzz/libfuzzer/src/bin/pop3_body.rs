//! libFuzzer on the target `pop3_body`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (fuzz::target("pop3_body").expect("a target"))(bytes));
