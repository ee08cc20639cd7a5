//! `qmail-qmqpd`: see qmail-qmqpd(8).

#![no_main]

unix::copied_program!(
    "qmail-qmqpd",
    mta::receive::qmqpd::main,
    calls: mta::CALLS_OF_A_COPY,
    between: mta::queue::client::keep_program
);
