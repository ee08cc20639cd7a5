//! What the documentation says, and what the programs do.

mod control_files;
mod faq;
mod guide;
mod hardening;
mod manual_pages;
