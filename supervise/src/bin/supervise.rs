//! `supervise`: see supervise(8).

#![no_main]

unix::lean_program!("supervise", supervise::supervise::main);
