//! `qmail-local`: see qmail-local(8).

#![no_main]

unix::lean_program!("qmail-local", mta::deliver::local::main);
