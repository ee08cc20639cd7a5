//! Who controls a local address: assignments, then accounts.

pub mod getpw;
pub mod newu;
