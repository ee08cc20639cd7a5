//! `qmail-local`.
