//! libFuzzer on the target `qmqp_request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (fuzz::target("qmqp_request").expect("a target"))(bytes));
