//! `tailocal`.
