//! `qmail-smtpd`: see qmail-smtpd(8).

#![no_main]

unix::copied_program!(
    "qmail-smtpd",
    mta::receive::smtpd::main,
    calls: mta::CALLS_OF_A_COPY,
    between: mta::queue::client::keep_program
);
