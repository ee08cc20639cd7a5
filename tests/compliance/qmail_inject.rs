//! `qmail-inject`.
