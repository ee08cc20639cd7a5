//! `qmail-remote`: see qmail-remote(8).

#![no_main]

unix::copied_program!("qmail-remote", mta::deliver::remote::main, calls: mta::CALLS_OF_A_COPY);
