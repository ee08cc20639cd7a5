//! The mail system. The modules stand in the order in which a message meets them.
//!
//! ```text
//! receive   network or user → qmail-queue      (qmail-smtpd, qmail-qmtpd, qmail-qmqpd, qmail-inject, sendmail)
//! queue     the queue on disk, or elsewhere     (qmail-queue, qmail-clean, qmail-qread; qmail-qmqpc)
//! send      the queue manager                  (qmail-start, qmail-send, qmail-lspawn, qmail-rspawn)
//! deliver   one delivery at a time             (qmail-local, qmail-remote, programs for .qmail lines)
//! retrieve  mailbox → its owner's mail reader  (qmail-popup, checkpassword, qmail-pop3d)
//! serial    maildir → another host, on demand   (maildirserial, serialsmtp, serialqmtp)
//! aliases   tables and lists of addresses       (dot-forward, fastforward, newaliases, newinclude and their tools)
//! ```
//!
//! The rest is what those four stages know: the form of messages, control files, accounts, the installation; and
//! `decide`, which says what they will do with an address (qmail-explain).
//! `receive` and `deliver` reach the queue through [`queue::client`] alone; `send` alone reads and changes
//! queue files that it did not create.

/// Messages that a copy of a kept program handles before another takes its place ([`unix::fork_server`]): so many that copying costs next to
/// nothing, and so few that whatever one might gather in its memory does not stay.
pub const CALLS_OF_A_COPY: u32 = 12;

pub mod receive;

pub mod queue;

pub mod send;

pub mod deliver;

pub mod aliases;
pub mod retrieve;
pub mod serial;

pub mod control;
pub mod decide;
pub mod message;
pub mod server;
pub mod setup;
pub mod users;
