//! Servers in `control/qmqpservers`.
//!
//! ```text
//! 192.0.2.1            what follows the address on the line does not count
//! 2001:db8::1
//! [192.0.2.1]:6280     another port, for either kind of address
//! ```

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use unix::number;

/// The port that QMQP has.
const PORT: u16 = 628;

/// The server that a line names. A line that names none is passed over.
pub fn parse(line: &[u8]) -> Option<SocketAddr> {
    if let Some(rest) = line.strip_prefix(b"[") {
        let (address, after) = rest.split_at_checked(memchr::memchr(b']', rest)?)?;
        let port = match after.strip_prefix(b"]:") {
            Some(digits) => number::whole(digits).and_then(|number| u16::try_from(number).ok())?,
            None if after == b"]" => PORT,
            None => return None,
        };
        return Some(SocketAddr::new(address_of(address)?, port));
    }
    address_of(line).or_else(|| leading_ipv4(line).map(IpAddr::V4)).map(|ip| SocketAddr::new(ip, PORT))
}

fn address_of(text: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Four decimal numbers with dots between them, and whatever follows.
fn leading_ipv4(line: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut rest = line;
    for (at, octet) in octets.iter_mut().enumerate() {
        if at > 0 {
            rest = rest.strip_prefix(b".")?;
        }
        let (value, length) = number::scan(rest);
        *octet = u8::try_from(value).ok().filter(|_| length > 0)?;
        rest = rest.get(length..)?;
    }
    Some(octets.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_begins_with_an_address() {
        for (line, server) in [
            ("192.0.2.1", "192.0.2.1:628"),
            ("192.0.2.1:999", "192.0.2.1:628"),
            ("192.0.2.1 the first one", "192.0.2.1:628"),
            ("2001:db8::1", "[2001:db8::1]:628"),
            ("[192.0.2.1]:6280", "192.0.2.1:6280"),
            ("[::1]:6280", "[::1]:6280"),
            ("[::1]", "[::1]:628"),
        ] {
            assert_eq!(parse(line.as_bytes()), server.parse().ok(), "{line}");
        }
    }

    #[test]
    fn a_line_that_names_no_server_is_passed_over() {
        for line in [
            "",
            "mail.example",
            "192.0.2",
            "192.0.2.256",
            "1..2.3",
            "[192.0.2.1]x",
            "[::1]:",
            "[::1",
            " 1.2.3.4",
        ] {
            assert_eq!(parse(line.as_bytes()), None, "{line}");
        }
    }
}
