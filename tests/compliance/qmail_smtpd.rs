//! `qmail-smtpd`.
