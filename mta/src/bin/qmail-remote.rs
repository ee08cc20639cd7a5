//! `qmail-remote`: see qmail-remote(8).

#![no_main]

unix::lean_program!("qmail-remote", mta::deliver::remote::main);
