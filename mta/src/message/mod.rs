//! The form of messages: addresses, dates, header lines.

pub mod address;
pub mod date;
pub mod header_field;
pub mod printable;
pub mod quote;
pub mod received;
pub mod tokens;
