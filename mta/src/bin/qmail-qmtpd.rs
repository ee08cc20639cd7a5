//! `qmail-qmtpd`: see qmail-qmtpd(8).

#![no_main]

unix::copied_program!(
    "qmail-qmtpd",
    mta::receive::qmtpd::main,
    calls: mta::CALLS_OF_A_COPY,
    between: mta::queue::client::keep_program
);
