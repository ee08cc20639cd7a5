//! Mailbox formats: mbox, one file that is locked; maildir, a directory that needs no lock.
//!
//! Both deliver durably: success means that the message and the names that lead to it are on disk, so that
//! its sender may forget it. After a failure nothing of the message is left in the mailbox.

pub mod mail_reader;
pub mod maildir;
pub mod maildir2mbox;
pub mod maildir_listing;
pub mod maildirmake;
pub mod maildirwatch;
pub mod mbox;
mod mbox_end;
