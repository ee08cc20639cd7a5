//! `qmail-send`: see qmail-send(8).

#![no_main]

unix::lean_program!("qmail-send", mta::send::main);
