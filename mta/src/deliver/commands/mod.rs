//! Programs meant for `.qmail` lines: they decide with their exit status what becomes of the message.
//!
//! | status | qmail-local |
//! |---|---|
//! | 0 | goes on with the next line |
//! | 99 | has done enough: later lines do not count |
//! | 100 | bounces the message |
//! | 111 | tries again later |

pub mod bouncesaying;
pub mod condredirect;
pub mod except;
mod filter;
pub mod forward;
pub mod preline;
pub mod qbiff;
pub mod qreceipt;
pub mod qsmhook;
pub mod redirect;
