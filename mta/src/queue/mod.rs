//! The queue on disk.

pub mod clean;
pub mod client;
pub mod enqueue;
pub mod enqueue_error;
pub mod layout;
pub mod qread;
