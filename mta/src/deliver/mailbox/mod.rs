//! Mailbox formats: mbox and maildir.

pub mod maildirmake;
