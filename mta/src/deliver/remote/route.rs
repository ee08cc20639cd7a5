//! Where mail for a host goes: the exchangers that DNS names, or a relay from `control/smtproutes`.

use crate::control::NameMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use unix::number;

/// The way to one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The recipients' host, or the relay in its place.
    pub host: Vec<u8>,
    /// The port that is connected to. 0, which nobody can listen on, stands for one that is no number.
    pub port: u16,
    /// Whether smtproutes chose the host: no exchangers are looked up then, and it may well be this machine.
    pub is_relay: bool,
}

impl Route {
    /// The route to a host. In smtproutes its own entry counts before one for a domain that it is in, and the
    /// entry with an empty key comes last; an empty value says "as DNS has it".
    pub fn to(host: &[u8], smtproutes: &NameMap) -> Route {
        match smtproutes.get_host(host) {
            Some(value) if !value.is_empty() => Route::relay(value),
            _ => Route { host: host.to_vec(), port: SMTP_PORT, is_relay: false },
        }
    }

    /// `host`, `host:port`, `[address]` or `[address]:port`. An IPv6 address without brackets has no port.
    fn relay(value: &[u8]) -> Route {
        let relay = |host: &[u8], port| Route { host: host.to_vec(), port, is_relay: true };
        if ipv6(value).is_some() {
            return relay(value, SMTP_PORT);
        }
        let brackets =
            if value.starts_with(b"[") { value.iter().position(|byte| *byte == b']') } else { None };
        let searched = brackets.and_then(|at| value.get(at..)).unwrap_or(value);
        let Some(colon) = searched.iter().position(|byte| *byte == b':') else {
            return relay(value, SMTP_PORT);
        };
        let (host, colon_port) =
            value.split_at_checked(brackets.unwrap_or(0).saturating_add(colon)).unwrap_or((value, b""));
        let (port, _) = number::scan(colon_port.get(1..).unwrap_or_default());
        relay(host, u16::try_from(port).unwrap_or(0))
    }

    /// The address that the host is, if it is one in figures rather than a name.
    pub fn literal(&self) -> Option<IpAddr> {
        literal(&self.host)
    }
}

/// The address in `192.0.2.1`, `[192.0.2.1]`, `2001:db8::1`, `[2001:db8::1]` or `[IPv6:2001:db8::1]`
/// (RFC 5321 §4.1.3).
pub fn literal(host: &[u8]) -> Option<IpAddr> {
    let inner = host.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")).unwrap_or(host);
    let is_tagged = inner.get(..IPV6_TAG.len()).is_some_and(|tag| tag.eq_ignore_ascii_case(IPV6_TAG));
    let figures = if is_tagged { inner.get(IPV6_TAG.len()..)? } else { inner };
    ipv6(figures).map(IpAddr::from).or_else(|| ipv4(inner).map(IpAddr::from))
}

fn ipv6(figures: &[u8]) -> Option<Ipv6Addr> {
    std::str::from_utf8(figures).ok()?.parse().ok()
}

/// Four decimal numbers, which may have zeros in front, unlike those that the standard library reads.
fn ipv4(figures: &[u8]) -> Option<Ipv4Addr> {
    let octets: Option<Vec<u8>> = figures
        .split(|byte| *byte == b'.')
        .map(|digits| number::whole(digits).and_then(|value| u8::try_from(value).ok()))
        .collect();
    <[u8; 4]>::try_from(octets?).ok().map(Ipv4Addr::from)
}

const SMTP_PORT: u16 = 25;
const IPV6_TAG: &[u8] = b"IPv6:";

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(lines: &[&str]) -> NameMap {
        NameMap::new(&lines.iter().map(|line| line.as_bytes().to_vec()).collect::<Vec<_>>())
    }

    fn relay(value: &str) -> (String, u16) {
        let route = Route::to(b"x.example", &routes(&[&format!("x.example:{value}")]));
        assert!(route.is_relay);
        (String::from_utf8(route.host).unwrap(), route.port)
    }

    #[test]
    fn a_relay_has_a_port_after_its_first_colon_or_after_its_brackets() {
        for (value, host, port) in [
            ("relay.example", "relay.example", 25),
            ("relay.example:26", "relay.example", 26),
            ("relay.example:26:27", "relay.example", 26),
            ("relay.example:", "relay.example", 0),
            ("relay.example:smtp", "relay.example", 0),
            ("relay.example:70000", "relay.example", 0),
            (":26", "", 26),
            ("[192.0.2.1]:26", "[192.0.2.1]", 26),
            ("[2001:db8::1]:26", "[2001:db8::1]", 26),
            ("[2001:db8::1]", "[2001:db8::1]", 25),
            ("2001:db8::1", "2001:db8::1", 25),
        ] {
            assert_eq!(relay(value), (host.to_string(), port), "{value}");
        }
    }

    #[test]
    fn the_most_particular_entry_decides_and_an_empty_one_means_dns() {
        let map = routes(&["a.example:one", ".example:two", "b.example:", ":three"]);
        let host_of = |host: &str| Route::to(host.as_bytes(), &map).host;
        assert_eq!(host_of("A.Example"), b"one");
        assert_eq!(host_of("c.example"), b"two");
        assert_eq!(host_of("other.org"), b"three");
        let direct = Route::to(b"b.example", &map);
        assert_eq!(direct, Route { host: b"b.example".to_vec(), port: 25, is_relay: false });
    }

    #[test]
    fn addresses_in_figures_are_no_names() {
        let text = |host: &str| literal(host.as_bytes()).map(|address| address.to_string());
        assert_eq!(text("192.0.2.1").unwrap(), "192.0.2.1");
        assert_eq!(text("[127.000.000.001]").unwrap(), "127.0.0.1");
        assert_eq!(text("[ipv6:2001:DB8:0::1]").unwrap(), "2001:db8::1");
        assert_eq!(text("[::1]").unwrap(), "::1");
        for name in ["", "[]", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.4.", "a.b.c.d", "[1.2.3.4"] {
            assert_eq!(text(name), None, "{name}");
        }
    }
}
