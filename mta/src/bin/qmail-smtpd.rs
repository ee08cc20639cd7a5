//! `qmail-smtpd`: see qmail-smtpd(8).

#![no_main]

unix::copied_program!("qmail-smtpd", mta::receive::smtpd::main, mta::queue::client::keep_program);
