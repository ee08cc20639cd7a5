//! `qmail-remote` with the shared C library, for the test that puts a clock of its own in front of that (`tests/crash`).

#![no_main]

unix::lean_program!("qmail-remote", mta::deliver::remote::main);
