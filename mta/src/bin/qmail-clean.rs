//! `qmail-clean`: see qmail-clean(8).

#![no_main]

unix::lean_program!("qmail-clean", mta::queue::clean::main);
