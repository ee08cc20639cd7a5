//! Replies of DNS servers.

/// A reply of any bytes: records or trouble, and never more of them than the limit.
pub fn reply(bytes: &[u8]) {
    if let Ok(addresses) = tcpserver::dns::addresses_in_reply(bytes, b"mail.example.org") {
        assert!(addresses.len() <= 10_000);
    }
}
