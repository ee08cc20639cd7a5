//! Network or user → queue.

pub mod envelope_address;
pub mod hops;
pub mod inject;
pub mod netstring;
pub mod qmqpd;
pub mod qmtpd;
pub mod quick_end;
pub mod quick_reply;
pub mod smtpd;
