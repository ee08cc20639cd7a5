//! Small programs that stand between a connection and a program, or between two programs.
//!
//! `line_ends` is what they do to line ends, `flow` moves bytes both ways at once, and `between` puts a
//! process of ours around a program.

pub mod addcr;
pub mod argv0;
mod between;
pub mod delcr;
pub mod fixcrio;
mod flow;
mod line_ends;
pub mod mconnect_io;
pub mod recordio;
