//! `supervise`.
