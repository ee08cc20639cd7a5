//! `qmail-rspawn`: see qmail-rspawn(8).

#![no_main]

unix::lean_program!("qmail-rspawn", mta::send::spawn::rspawn::main);
