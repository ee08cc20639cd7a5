//! Access rules: who may connect, and with which variables a connection is served.
//!
//! A rules file has lines like `192.0.2.:allow,RELAYCLIENT=""` and `=.example.org:deny` (tcprules(8)). [`syntax`]
//! turns a line into keys and data, [`compile`] puts all of them into a constant database, [`lookup`] says which
//! keys of it a peer is judged by and what their data mean, and [`check`] shows that for a peer of one's choice.
//! The database is the one that `tcprules` has always made, byte for byte, unless there are blocks in CIDR notation
//! ([`block`]).

pub mod block;
pub mod check;
pub mod compile;
pub mod ipv6;
pub mod lookup;
pub mod syntax;
