//! `tcpserver`: see tcpserver(8).

#![no_main]

unix::lean_program!("tcpserver", tcpserver::server::main);
