//! Mailbox → its owner's mail reader: POP3, RFC 1939 and RFC 2449.
//!
//! `qmail-popup` asks for name and password; `checkpassword`, or another program in its place, checks them and becomes the
//! mailbox's owner; `qmail-pop3d` shows the mailbox.

pub mod checkpassword;
pub mod command;
pub mod pop3d;
pub mod popup;

/// The answer to CAPA, RFC 2449, which is the same before and after the login.
///
/// PIPELINING: qmail-popup reads nothing of what follows the login, so it reaches qmail-pop3d.
pub const CAPABILITIES: &[u8] = b"+OK \r\nTOP\r\nUSER\r\nUIDL\r\nPIPELINING\r\nEXPIRE NEVER\r\n.\r\n";

/// The answer to a command that worked and has nothing to say.
pub const OK: &[u8] = b"+OK \r\n";

/// The answer to a command that did not work.
pub fn error(text: &str) -> Vec<u8> {
    format!("-ERR {text}\r\n").into_bytes()
}
