//! libFuzzer on the target `qmqp_answer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (fuzz::target("qmqp_answer").expect("a target"))(bytes));
