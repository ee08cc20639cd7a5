//! Programs meant for `.qmail` lines.

pub mod bouncesaying;
pub mod condredirect;
pub mod except;
pub mod forward;
pub mod preline;
