//! `qmail-remote`.
