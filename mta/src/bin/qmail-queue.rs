//! `qmail-queue`: see qmail-queue(8).

#![no_main]

unix::lean_program!("qmail-queue", mta::queue::enqueue::main);
