//! `fixtures`.
