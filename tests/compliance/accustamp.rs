//! `accustamp`.
