//! `qmail-qmqpd`: see qmail-qmqpd(8).

#![no_main]

unix::copied_program!("qmail-qmqpd", mta::receive::qmqpd::main, mta::queue::client::keep_program);
