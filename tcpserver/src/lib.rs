//! Accept connections, decide who may connect, run a program for each.

pub mod client;
mod deadline;
pub mod dns;
pub mod environment;
pub mod filters;
pub mod ident;
pub mod lookups;
pub mod names;
pub mod rblsmtpd;
pub mod rules;
pub mod server;
mod services;
pub mod tcp_env;
