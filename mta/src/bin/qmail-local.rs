//! `qmail-local`: see qmail-local(8).

#![no_main]

unix::copied_program!("qmail-local", mta::deliver::local::main);
