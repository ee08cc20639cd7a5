//! The queue on disk.
//!
//! A message is named by its number N, the inode number of its mess file. The files that it has say where
//! it is on its way:
//!
//! | state | mess | intd | todo | info | local | remote | bounce | meaning |
//! |---|---|---|---|---|---|---|---|---|
//! | S1 | – | – | – | – | – | – | – | the number is free |
//! | S2 | + | – | – | – | – | – | – | the message is being received, or removed |
//! | S3 | + | + | – | – | – | – | – | its envelope is being received |
//! | S4 | + | ? | + | ? | ? | ? | – | queued: accepted, not preprocessed yet |
//! | S5 | + | – | – | + | ? | ? | ? | preprocessed: being delivered |
//!
//! | step | done by | a crash right after it leaves |
//! |---|---|---|
//! | S1→S2 link the pid file to mess | qmail-queue | a stray message, collected after 36 hours |
//! | S2→S3 create intd | qmail-queue | the same; nobody was told that it was accepted |
//! | S3→S4 link intd to todo, sync both names | qmail-queue | **an accepted message** |
//! | S4→S4 write info, local, remote, sync them and their names | qmail-send | S4; preprocessing starts over |
//! | S4→S5 unlink intd, then todo | qmail-clean | S5, or S4 with everything to start over |
//! | S5→S5 append to bounce and sync, then mark the recipient done | qmail-send | a second attempt for that recipient |
//! | S5→S2 bounce sent and unlinked, unlink info | qmail-send | a stray message, collected later |
//! | S2→S1 unlink intd, then mess | qmail-clean | nothing |

pub mod clean;
pub mod client;
pub mod enqueue;
pub mod enqueue_error;
pub mod envelope;
pub mod input;
pub mod layout;
pub mod listing;
pub mod mess;
pub mod qmqpc;
pub mod qread;
pub mod qstat;
pub mod queuectl;
pub mod recipients;
pub mod snapshot;
pub mod trigger;
