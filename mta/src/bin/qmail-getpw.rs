//! `qmail-getpw`: see qmail-getpw(8).

#![no_main]

unix::copied_program!("qmail-getpw", mta::users::getpw::main, calls: mta::CALLS_OF_A_COPY);
