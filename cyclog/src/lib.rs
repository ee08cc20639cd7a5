//! Log lines on their way from a service to the disk, in the order of the flow:
//!
//! ```text
//! service | accustamp | usually patterns | cyclog dir        cat dir/@* | tailocal
//! ```
//!
//! `accustamp` says when each line came, `usually` shows the unusual ones to somebody, `cyclog` keeps the newest
//! in files of bounded size and number, `tailocal` makes the stamps readable.

pub mod accustamp;

pub mod usually;

pub mod cyclog;

pub mod tailocal;

pub mod filter;
mod input;
pub mod patience;
