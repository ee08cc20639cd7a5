//! `qmail-smtpd`: see qmail-smtpd(8).

#![no_main]

unix::lean_program!("qmail-smtpd", mta::receive::smtpd::main);
