//! `tcprules`.
