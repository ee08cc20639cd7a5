//! libFuzzer on the target `dns_reply`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (fuzz::target("dns_reply").expect("a target"))(bytes));
