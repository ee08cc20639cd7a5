//! Tables and lists of addresses in files: what a user's `.forward` and a system's `/etc/aliases` have always been.
//!
//! | text | is compiled by | into | which is used by |
//! |---|---|---|---|
//! | `.forward` | – | – | dot-forward |
//! | `/etc/aliases` | newaliases | `/etc/aliases.cdb` | fastforward |
//! | a forwarding table | setforward | a database | fastforward |
//! | a list (`:include:`) | newinclude, setmaillist | a binary list | fastforward |
//!
//! printforward and printmaillist turn what was compiled back into text. Lines of addresses are read from right to
//! left, like those of a header, so addresses come out in reverse order; each address stands for itself.

mod completion;
pub mod dot_forward;
mod expansion;
pub mod fastforward;
mod instruction;
mod line;
pub mod newaliases;
pub mod newinclude;
mod output;
pub mod printforward;
pub mod printmaillist;
mod programs;
pub mod setforward;
pub mod setmaillist;
mod table;
