//! Network or user → queue.

pub mod hops;
pub mod inject;
pub mod netstring;
pub mod smtpd;
