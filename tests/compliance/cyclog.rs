//! `cyclog`.
