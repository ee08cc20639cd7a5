//! Network or user → queue.

pub mod inject;
pub mod smtpd;
