//! Maildir → another host, when the administrator says so: for links that are not always up.
//!
//! ```text
//! maildirserial ── names ──> serialsmtp or serialqmtp ── 7 ──> the host
//!      |        <─ reports ──                         <── 6 ──
//!      └──> qmail-queue: bounces
//! ```
//!
//! An alias delivers all mail for the host into one maildir. `maildirserial` names the messages in it to a client that tcpclient
//! has connected, and removes those that the client reports as accepted. [`protocol`] is what the two say to each other,
//! [`message`] what a file in the maildir looks like.

pub mod bounce;
pub mod client;
pub mod maildirserial;
pub mod message;
pub mod protocol;
pub mod qmtp;
pub mod round;
pub mod serialqmtp;
pub mod serialsmtp;
pub mod smtp;
pub mod wire;
