//! `qmail-getpw`: see qmail-getpw(8).

#![no_main]

unix::lean_program!("qmail-getpw", mta::users::getpw::main);
