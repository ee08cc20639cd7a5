//! The spawners: one agent for each delivery.

pub mod lspawn;
pub mod rspawn;
