//! libFuzzer on the target `qmtp_request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (fuzz::target("qmtp_request").expect("a target"))(bytes));
