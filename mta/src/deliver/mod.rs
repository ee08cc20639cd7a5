//! Delivery agents: one process for each delivery, run by the spawners, and the programs that they run.

pub mod commands;
pub mod local;
pub mod mailbox;
pub mod remote;
