//! `qmail-send` with the shared C library, for the test that puts a clock of its own in front of that (`tests/crash`).

#![no_main]

unix::lean_program!("qmail-send", mta::send::main);
