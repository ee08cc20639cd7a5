//! `qmail-qmtpd`: see qmail-qmtpd(8).

#![no_main]

unix::copied_program!("qmail-qmtpd", mta::receive::qmtpd::main, mta::queue::client::keep_program);
