//! `qmail-lspawn`: see qmail-lspawn(8).

#![no_main]

unix::lean_program!("qmail-lspawn", mta::send::spawn::lspawn::main);
