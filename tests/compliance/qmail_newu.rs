//! `qmail-newu`.
