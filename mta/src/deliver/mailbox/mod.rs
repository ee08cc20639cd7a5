//! Mailbox formats: mbox, one file that is locked; maildir, a directory that needs no lock.
//!
//! Both deliver durably: success means that the message and the names that lead to it are on disk, so that
//! its sender may forget it. After a failure nothing of the message is left in the mailbox.

pub mod maildir;
pub mod maildirmake;
pub mod mbox;
