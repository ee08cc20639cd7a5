//! libFuzzer on the target `todo_records`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (fuzz::target("todo_records").expect("a target"))(bytes));
