//! What the documentation says, and what the programs do.

mod manual_pages;
