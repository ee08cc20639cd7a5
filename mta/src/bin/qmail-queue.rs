//! `qmail-queue`: see qmail-queue(8).

#![no_main]

unix::copied_program!("qmail-queue", mta::queue::enqueue::main, calls: mta::CALLS_OF_A_COPY);
