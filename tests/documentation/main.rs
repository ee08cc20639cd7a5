//! What the documentation says, and what the programs do.

mod hardening;
mod manual_pages;
