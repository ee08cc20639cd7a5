//! Domain names and addresses as text, from and to what goes over the wire.

use super::Trouble;
use hickory_resolver::proto::rr::Name;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use unix::number;

/// What is known about a name without asking anybody: `localhost`, and addresses in figures.
///
/// Text of digits, dots and brackets alone is never a name: groups of four numbers are addresses, and an
/// incomplete group or a number above 255 gives none.
pub(super) fn without_asking(text: &[u8]) -> Option<Vec<IpAddr>> {
    let bare = text.strip_suffix(b".").unwrap_or(text);
    if bare.eq_ignore_ascii_case(b"localhost") {
        return Some(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    if let Some(address) = ipv6(text) {
        return Some(vec![address.into()]);
    }
    let is_figures = text.iter().all(|byte| byte.is_ascii_digit() || b".[]".contains(byte));
    (is_figures && !text.is_empty()).then(|| ipv4_list(text).into_iter().map(IpAddr::from).collect())
}

/// The addresses in text like `192.0.2.1`, `[192.0.2.1]` or `192.0.2.1.192.0.2.2`.
pub(super) fn ipv4_list(text: &[u8]) -> Vec<Ipv4Addr> {
    let numbers = text.split(|byte| !byte.is_ascii_digit()).filter(|digits| !digits.is_empty());
    let bytes: Vec<Option<u8>> =
        numbers.map(|digits| number::whole(digits).and_then(|value| u8::try_from(value).ok())).collect();
    let groups = bytes.chunks_exact(4).filter_map(|group| match group {
        &[Some(a), Some(b), Some(c), Some(d)] => Some(Ipv4Addr::new(a, b, c, d)),
        _ => None,
    });
    groups.collect()
}

fn ipv6(text: &[u8]) -> Option<Ipv6Addr> {
    let inner = text.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")).unwrap_or(text);
    std::str::from_utf8(inner).ok()?.parse().ok()
}

/// A name as it goes into a query: each byte of a label as it is, one dot at the end optional.
///
/// What no name can be (an empty or over-long label, more than 255 bytes) has no records.
pub(super) fn parse(text: &[u8]) -> Result<Name, Trouble> {
    let text = text.strip_suffix(b".").unwrap_or(text);
    Name::from_labels(text.split(|byte| *byte == b'.')).map_err(|_| Trouble::Absent)
}

/// A name as text without a dot at the end; the root is `.`.
///
/// Letters become lower-case, and a byte that is not of a-z, 0-9, `-` and `_` becomes `\ooo` (octal), so a dot
/// inside a label cannot be taken for the end of one.
pub(super) fn to_text(name: &Name) -> Vec<u8> {
    let mut text = Vec::new();
    for label in name.iter() {
        if !text.is_empty() {
            text.push(b'.');
        }
        for byte in label.iter().map(u8::to_ascii_lowercase) {
            match byte {
                b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => text.push(byte),
                _ => text.extend_from_slice(format!("\\{byte:03o}").as_bytes()),
            }
        }
    }
    if text.is_empty() { b".".to_vec() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(text: &str) -> Option<Vec<String>> {
        let addresses = without_asking(text.as_bytes())?;
        Some(addresses.iter().map(IpAddr::to_string).collect())
    }

    #[test]
    fn figures_and_localhost_need_no_server() {
        assert_eq!(known("localhost").unwrap(), ["127.0.0.1", "::1"]);
        assert_eq!(known("LocalHost.").unwrap(), ["127.0.0.1", "::1"]);
        assert_eq!(known("[127.0.0.1]").unwrap(), ["127.0.0.1"]);
        assert_eq!(known("127.000.000.001").unwrap(), ["127.0.0.1"]);
        assert_eq!(known("1.2.3.4.5.6.7.8.9").unwrap(), ["1.2.3.4", "5.6.7.8"]);
        assert_eq!(known("[2001:DB8::1]").unwrap(), ["2001:db8::1"]);
        assert_eq!(known("1.2.3").unwrap(), [""; 0]);
        assert_eq!(known("1.2.3.256").unwrap(), [""; 0]);
        assert_eq!(known("example.org"), None);
        assert_eq!(known(""), None);
    }

    #[test]
    fn names_keep_underscores_and_lose_nothing_but_case() {
        let text = |name: &[u8]| parse(name).map(|name| to_text(&name));
        assert_eq!(text(b"_dmarc.Example.ORG.").unwrap(), b"_dmarc.example.org");
        assert_eq!(text(b"a b\xff.example").unwrap(), b"a\\040b\\377.example");
        assert_eq!(to_text(&Name::root()), b".");
    }

    #[test]
    fn what_cannot_be_a_name_is_absent() {
        let long_label = [b'a'; 64];
        let long_name = b"a.".repeat(128);
        for name in [&b""[..], b".", b"a..b", b".a", &long_label, &long_name] {
            assert_eq!(parse(name), Err(Trouble::Absent), "{:?}", String::from_utf8_lossy(name));
        }
    }
}
