//! Files that are installed as they are in the source tree, and are a part of qmail-setup: name and contents.
//!
//! `SCRIPTS` go to `bin`, `BOOT_SCRIPTS` to `boot`, `PAGES` to `man`. `build.rs` makes the lists of the directories.

include!(concat!(env!("OUT_DIR"), "/copies.rs"));
