//! libFuzzer on the target `queuectl_request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (fuzz::target("queuectl_request").expect("a target"))(bytes));
