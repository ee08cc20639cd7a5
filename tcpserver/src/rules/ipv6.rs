//! IPv6 addresses as keys: one spelling for each address and for each prefix of whole groups.

use std::net::{IpAddr, Ipv6Addr};

/// The spelling of an IPv6 address that rules and variables use: compressed and in lower case (RFC 5952).
///
/// An IPv4 address that is mapped into IPv6 becomes a dotted quad, as `$TCPREMOTEIP` has it. `None` if the text
/// is not an IPv6 address.
pub fn canonical(text: &[u8]) -> Option<Vec<u8>> {
    let address: Ipv6Addr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(IpAddr::V6(address).to_canonical().to_string().into_bytes())
}

/// The key of a prefix of one to seven whole groups, like `2001:db8:`; `None` if the text is not one.
pub fn canonical_prefix(text: &[u8]) -> Option<Vec<u8>> {
    let groups: Vec<u16> =
        text.strip_suffix(b":")?.split(|byte| *byte == b':').map(group).collect::<Option<_>>()?;
    (groups.len() < 8).then(|| prefix_key(&groups))
}

fn group(text: &[u8]) -> Option<u16> {
    if text.is_empty() || text.len() > 4 || !text.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u16::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok()
}

fn prefix_key(groups: &[u16]) -> Vec<u8> {
    let mut key = joined(groups);
    key.push(b':');
    key
}

fn joined(groups: &[u16]) -> Vec<u8> {
    let texts: Vec<String> = groups.iter().map(|group| format!("{group:x}")).collect();
    texts.join(":").into_bytes()
}

/// The keys of all prefixes of an address, longest first, each with its length in bits.
///
/// Besides those that [`canonical_prefix`] makes, these are the parts of the address's own text that end in a
/// colon: `2001:db8::` for `2001:db8::5`. Databases of the IPv6 patch for ucspi-tcp have such keys.
pub fn prefixes(address: &Ipv6Addr) -> Vec<(usize, Vec<u8>)> {
    let groups = address.segments();
    let text = address.to_string();
    // What the text leaves out: the groups from `hidden` to `shown`.
    let (hidden, shown) = match text.split_once("::") {
        Some((before, after)) => (count(before), groups.len().saturating_sub(count(after))),
        None => (groups.len(), groups.len()),
    };
    let mut keys = Vec::new();
    for length in (1..groups.len()).rev() {
        let (front, _) = groups.split_at(length);
        let bits = length.saturating_mul(16);
        if length >= shown {
            let (before, rest) = front.split_at(hidden.min(length));
            let (_, after) = rest.split_at(shown.saturating_sub(hidden).min(rest.len()));
            let end: &[u8] = if after.is_empty() { b"" } else { b":" };
            keys.push((bits, [&joined(before), &b"::"[..], &joined(after), end].concat()));
        }
        keys.push((bits, prefix_key(front)));
    }
    keys
}

fn count(groups: &str) -> usize {
    groups.split(':').filter(|group| !group.is_empty()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(text: &str) -> Option<String> {
        canonical(text.as_bytes()).map(|key| String::from_utf8(key).unwrap())
    }

    fn prefix(text: &str) -> Option<String> {
        canonical_prefix(text.as_bytes()).map(|key| String::from_utf8(key).unwrap())
    }

    fn all(address: &str) -> Vec<String> {
        let keys = prefixes(&address.parse().unwrap());
        keys.into_iter().map(|(_, key)| String::from_utf8(key).unwrap()).collect()
    }

    #[test]
    fn an_address_has_one_spelling() {
        assert_eq!(spelled("2001:0DB8:0:0:0:0:0:5").unwrap(), "2001:db8::5");
        assert_eq!(spelled("::1").unwrap(), "::1");
        assert_eq!(spelled("::ffff:192.0.2.1").unwrap(), "192.0.2.1");
        assert_eq!(spelled("192.0.2.1"), None);
        assert_eq!(spelled("2001:db8:"), None);
    }

    #[test]
    fn a_prefix_is_one_to_seven_whole_groups() {
        assert_eq!(prefix("2001:0DB8:").unwrap(), "2001:db8:");
        assert_eq!(prefix("2001:db8:0:").unwrap(), "2001:db8:0:");
        assert_eq!(prefix("1:2:3:4:5:6:7:").unwrap(), "1:2:3:4:5:6:7:");
        for wrong in
            ["1:2:3:4:5:6:7:8:", "2001:db8", "2001:db8::", ":", "", "2001::1:", "12345:", "+1:", "g:"]
        {
            assert_eq!(prefix(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn prefixes_of_an_address_come_longest_first() {
        assert_eq!(
            all("2001:db8::5"),
            [
                "2001:db8::",
                "2001:db8:0:0:0:0:0:",
                "2001:db8:0:0:0:0:",
                "2001:db8:0:0:0:",
                "2001:db8:0:0:",
                "2001:db8:0:",
                "2001:db8:",
                "2001:"
            ]
        );
        assert_eq!(all("1:2:3:4:5:6:7:8").first().unwrap(), "1:2:3:4:5:6:7:");
        assert_eq!(all("1:2:3:4:5:6:7:8").len(), 7);
        assert_eq!(all("::1").first().unwrap(), "::");
        assert_eq!(all("2001::1:0:0:5")[..2], ["2001::1:0:0:", "2001:0:0:0:1:0:0:"]);
    }
}
