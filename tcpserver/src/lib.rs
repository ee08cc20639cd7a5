//! Accept connections, decide who may connect, run a program for each.

pub mod dns;
