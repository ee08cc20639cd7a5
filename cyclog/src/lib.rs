//! Log lines on their way from a service to the disk, in the order of the flow:
//!
//! ```text
//! service | accustamp | usually patterns | cyclog dir        cat dir/@* | tailocal
//! ```
//!
//! `accustamp` says when each line came, `usually` shows the unusual ones to somebody, `cyclog` keeps the newest
//! in files of bounded size and number, `tailocal` makes the stamps readable. `cyclog-read` shows a log of either
//! generation. `splogger` gives lines to syslog instead.
//!
//! The younger generation does the first three with one program, and its stamps are TAI64N labels:
//!
//! ```text
//! service | multilog t -pattern dir                          cat dir/@* dir/current | tai64nlocal
//! ```

pub mod accustamp;

pub mod usually;

pub mod cyclog;

pub mod tailocal;

pub mod cyclog_read;

pub mod splogger;

pub mod multilog;
pub mod tai64n;
pub mod tai64nlocal;

mod age;
mod backlog;
mod extent;
pub mod filter;
mod input;
mod label;
pub mod line_start;
mod names;
pub mod patience;
mod processor;
