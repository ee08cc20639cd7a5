//! libFuzzer on the target `pop3_command`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (fuzz::target("pop3_command").expect("a target"))(bytes));
