//! The trace line that a network server puts on top of each message. RFC 5321 §4.4.
//!
//! ```text
//! Received: from client.example (HELO c.example) (info@192.0.2.7)
//!   by mail.example.org with SMTP; 2 Jan 2024 03:04:05 -0000
//! ```
//!
//! The HELO part is there only where the client's own name for itself is not the one that we know it by.
//! Whatever a client or a name server could have chosen is made harmless: a byte that has no business in a
//! name becomes a question mark.

use super::date;
use unix::environment;

/// What the message came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// RFC 5321, with HELO or EHLO.
    Smtp,
    /// The quick mail transfer protocol.
    Qmtp,
    /// The quick mail queueing protocol.
    Qmqp,
}

impl Protocol {
    fn name(self) -> &'static [u8] {
        match self {
            Protocol::Smtp => b"SMTP",
            Protocol::Qmtp => b"QMTP",
            Protocol::Qmqp => b"QMQP",
        }
    }
}

/// The two ends of a connection, as `tcpserver` describes them in the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// TCPREMOTEHOST: the client's name.
    pub remote_host: Vec<u8>,
    /// TCPREMOTEIP: the client's address.
    pub remote_ip: Vec<u8>,
    /// TCPREMOTEINFO: what the client's ident server said.
    pub remote_info: Option<Vec<u8>>,
    /// TCPLOCALHOST or TCPLOCALIP: our end.
    pub local: Vec<u8>,
}

impl Connection {
    /// The connection that this process serves. What is not known is called `unknown`.
    pub fn from_environment() -> Connection {
        let unknown = || b"unknown".to_vec();
        Connection {
            remote_host: environment::get("TCPREMOTEHOST").unwrap_or_else(unknown),
            remote_ip: environment::get("TCPREMOTEIP").unwrap_or_else(unknown),
            remote_info: environment::get("TCPREMOTEINFO"),
            local: environment::get("TCPLOCALHOST")
                .or_else(|| environment::get("TCPLOCALIP"))
                .unwrap_or_else(unknown),
        }
    }

    /// The whole line, of two physical ones, for a message that came at `seconds` since 1970.
    /// `helo` is the name that the client gave itself, if it did.
    pub fn received(&self, protocol: Protocol, helo: Option<&[u8]>, seconds: u64) -> Vec<u8> {
        let mut line = b"Received: from ".to_vec();
        line.extend(harmless(&self.remote_host));
        if let Some(name) = helo.filter(|name| !name.eq_ignore_ascii_case(&self.remote_host)) {
            line.extend_from_slice(b" (HELO ");
            line.extend(harmless(name));
            line.push(b')');
        }
        line.extend_from_slice(b" (");
        if let Some(info) = &self.remote_info {
            line.extend(harmless(info));
            line.push(b'@');
        }
        line.extend(harmless(&self.remote_ip));
        line.extend_from_slice(b")\n  by ");
        line.extend(harmless(&self.local));
        line.extend_from_slice(b" with ");
        line.extend_from_slice(protocol.name());
        line.extend_from_slice(b"; ");
        line.extend_from_slice(date::rfc5322(seconds).as_bytes());
        line.push(b'\n');
        line
    }
}

fn harmless(value: &[u8]) -> impl Iterator<Item = u8> {
    let is_harmless = |byte: u8| byte.is_ascii_alphanumeric() || b".@%+/=:-[]".contains(&byte);
    value.iter().map(move |byte| if is_harmless(*byte) { *byte } else { b'?' })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(info: Option<&[u8]>) -> Connection {
        Connection {
            remote_host: b"client.example".to_vec(),
            remote_ip: b"2001:db8::7".to_vec(),
            remote_info: info.map(<[u8]>::to_vec),
            local: b"mail.example.org".to_vec(),
        }
    }

    fn first_line(connection: &Connection, helo: Option<&[u8]>) -> String {
        let line = String::from_utf8(connection.received(Protocol::Smtp, helo, 0)).unwrap();
        line.split_once('\n').unwrap().0.to_owned()
    }

    #[test]
    fn the_line_has_the_documented_form() {
        let line = connection(None).received(Protocol::Qmtp, None, 1_704_164_645);
        let wanted = "Received: from client.example (2001:db8::7)\n  by mail.example.org with QMTP; \
                      2 Jan 2024 03:04:05 -0000\n";
        assert_eq!(String::from_utf8(line).unwrap(), wanted);
    }

    #[test]
    fn a_helo_name_is_shown_if_it_is_not_the_known_one() {
        let known = connection(None);
        assert_eq!(
            first_line(&known, Some(b"CLIENT.example")),
            "Received: from client.example (2001:db8::7)"
        );
        assert_eq!(first_line(&known, Some(b"")), "Received: from client.example (HELO ) (2001:db8::7)");
    }

    #[test]
    fn nothing_a_client_chose_can_end_a_comment_or_a_line() {
        let hostile = connection(Some(b"a)\r\nX_y"));
        assert_eq!(
            first_line(&hostile, Some(b"[1.2.3.4] (\n")),
            "Received: from client.example (HELO [1.2.3.4]???) (a???X?y@2001:db8::7)"
        );
    }
}
