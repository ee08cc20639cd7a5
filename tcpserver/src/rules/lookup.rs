//! Which rule a peer is judged by, and what it says.

use crate::rules::ipv6;
use std::io;
use std::net::Ipv6Addr;
use unix::cdb::Reader;

/// What is known about who connects.
#[derive(Clone, Copy, Debug)]
pub struct Peer<'a> {
    /// The address, as `$TCPREMOTEIP` has it.
    pub ip: &'a [u8],
    /// The name, if there is one.
    pub host: Option<&'a [u8]>,
    /// What an ident server said, if one answered.
    pub info: Option<&'a [u8]>,
}

/// A rule that was found.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// The key that it stands under.
    pub key: Vec<u8>,
    /// What it says, in order.
    pub instructions: Vec<Instruction>,
}

/// One thing that a rule says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// The connection is not served.
    Deny,
    /// The program gets this variable.
    Set {
        /// Its name.
        name: Vec<u8>,
        /// Its value.
        value: Vec<u8>,
    },
}

/// The first rule that applies to a peer; without one, everybody may connect.
///
/// # Errors
/// If the database cannot be read or is damaged, which says nothing about what the rule would have been.
pub fn find(rules: &Reader, peer: Peer<'_>) -> io::Result<Option<Found>> {
    for key in keys(peer) {
        if let Some(data) = rules.get(&key)? {
            return Ok(Some(Found { key, instructions: instructions(&data) }));
        }
    }
    Ok(None)
}

/// The keys that a peer is looked up under, in order.
fn keys(peer: Peer<'_>) -> Vec<Vec<u8>> {
    let Peer { ip, host, info } = peer;
    let mut keys = Vec::new();
    if let Some(info) = info {
        keys.push([info, b"@", ip].concat());
        keys.extend(host.map(|host| [info, b"@=", host].concat()));
    }
    keys.push(ip.to_vec());
    keys.extend(host.map(|host| [b"=", host].concat()));
    // A later step: blocks in CIDR notation come here, between the single address and the prefixes.
    keys.extend(prefixes(ip));
    if let Some(host) = host {
        let dots = host.iter().enumerate().filter(|(_, byte)| **byte == b'.');
        keys.extend(dots.filter_map(|(at, _)| Some([b"=", host.split_at_checked(at)?.1].concat())));
        keys.push(b"=".to_vec());
    }
    keys.push(Vec::new());
    keys
}

/// Prefixes of an address that end where a number ends, longest first.
fn prefixes(ip: &[u8]) -> Vec<Vec<u8>> {
    let address: Option<Ipv6Addr> = std::str::from_utf8(ip).ok().and_then(|text| text.parse().ok());
    if let Some(address) = address {
        return ipv6::prefixes(&address);
    }
    let dots = ip.iter().enumerate().rev().filter(|(_, byte)| **byte == b'.');
    dots.filter_map(|(at, _)| Some(ip.split_at_checked(at.saturating_add(1))?.0.to_vec())).collect()
}

/// Reads the data of a rule: items that end in NUL. What is not an item is passed over, as it always was.
fn instructions(data: &[u8]) -> Vec<Instruction> {
    let mut items: Vec<&[u8]> = data.split(|byte| *byte == 0).collect();
    // What follows the last NUL is not an item.
    items.pop();
    items.into_iter().filter_map(instruction).collect()
}

fn instruction(item: &[u8]) -> Option<Instruction> {
    match item.split_first()? {
        (b'D', _) => Some(Instruction::Deny),
        (b'+', variable) => {
            let at = variable.iter().position(|byte| *byte == b'=')?;
            let (name, value) = variable.split_at_checked(at)?;
            Some(Instruction::Set { name: name.to_vec(), value: value.strip_prefix(b"=")?.to_vec() })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(ip: &str, host: Option<&str>, info: Option<&str>) -> Vec<String> {
        let peer = Peer { ip: ip.as_bytes(), host: host.map(str::as_bytes), info: info.map(str::as_bytes) };
        keys(peer).into_iter().map(|key| String::from_utf8(key).unwrap()).collect()
    }

    #[test]
    fn keys_go_from_the_most_to_the_least_particular() {
        assert_eq!(
            order("1.2.3.4", Some("a.b.c"), Some("joe")),
            [
                "joe@1.2.3.4",
                "joe@=a.b.c",
                "1.2.3.4",
                "=a.b.c",
                "1.2.3.",
                "1.2.",
                "1.",
                "=.b.c",
                "=.c",
                "=",
                ""
            ]
        );
        assert_eq!(order("1.2.3.4", None, Some("")), ["@1.2.3.4", "1.2.3.4", "1.2.3.", "1.2.", "1.", ""]);
        assert_eq!(order("1.2.3.4", Some("c"), None), ["1.2.3.4", "=c", "1.2.3.", "1.2.", "1.", "=", ""]);
    }

    #[test]
    fn ipv6_prefixes_take_the_place_of_ipv4_ones() {
        assert_eq!(
            order("1:2:3:4:5:6:7:8", None, None),
            [
                "1:2:3:4:5:6:7:8",
                "1:2:3:4:5:6:7:",
                "1:2:3:4:5:6:",
                "1:2:3:4:5:",
                "1:2:3:4:",
                "1:2:3:",
                "1:2:",
                "1:",
                ""
            ]
        );
    }

    #[test]
    fn items_without_meaning_are_passed_over() {
        let set = |name: &str, value: &str| Instruction::Set { name: name.into(), value: value.into() };
        assert_eq!(instructions(b""), []);
        assert_eq!(instructions(b"D\0"), [Instruction::Deny]);
        assert_eq!(
            instructions(b"+A=b=c\0X\0\0+novalue\0+=\0Dx\0+B=cut"),
            [set("A", "b=c"), set("", ""), Instruction::Deny]
        );
    }
}
