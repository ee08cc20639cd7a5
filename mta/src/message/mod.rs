//! The form of messages: addresses, dates, header lines.

pub mod date;
pub mod quote;
pub mod received;
