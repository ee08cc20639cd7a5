//! What every program of the suite needs of the system, one notion a module.
//!
//! This is the only crate that may say `unsafe`. Nothing here knows about mail, services or rules.
//! A program starts in [`program::run`], turns its arguments into options with [`options::Options`],
//! and returns an exit status or a [`failure::Failure`] that decides whether a retry can help.

pub mod account;
pub mod cdb;
pub mod clock;
pub mod crypt;
pub mod descriptor;
pub mod directory;
pub mod environment;
pub mod exec;
pub mod failure;
pub mod feed;
pub mod fifo;
pub mod file;
pub mod fork_server;
pub mod host;
pub mod inherited;
pub mod interface;
pub mod json;
pub mod limits;
pub mod local_time;
pub mod lock;
pub mod login;
pub mod number;
pub mod options;
pub mod poll;
pub mod process;
pub mod program;
pub mod secret;
pub mod signal;
pub mod socket;
pub mod stamp;
pub mod starter;
pub mod terminal;
pub mod title;
