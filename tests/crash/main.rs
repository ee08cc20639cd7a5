//! The crash laboratory: whatever is killed, refused or switched off, and wherever, no acknowledged message is lost.
//!
//! | module | what goes wrong |
//! |---|---|
//! | `kill` | a program of the mail path is killed at a system call, or the call fails |
//! | `power` | the file system goes down after a system call, and what it had not flushed with it |
//! | `reordering` | of the writes since the last flush, the disk has kept some and lost others |
//! | `resources` | no space, no inodes, no processes, no descriptors, no memory; another time of day |
//! | `scale` | nothing, but there is very much of it: thousands of messages at once |
//! | `soak` | random processes of the whole suite are killed under load |
//!
//! `ledger` has the invariant, `report` counts. `make test` tries a sample of all points, `make crash` all of them.

mod image;
mod kill;
mod ledger;
mod mbox;
mod power;
mod reordering;
mod report;
mod resources;
mod scale;
mod site;
mod smtp_session;
mod soak;
mod tracer;
