//! Which rule a peer is judged by, and what it says.

use crate::rules::block::{self, Block};
use crate::rules::ipv6;
use std::cmp::Reverse;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
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
    /// The key that it stands under, or the block as it is written in a rule.
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
    let address: Option<IpAddr> = std::str::from_utf8(peer.ip).ok().and_then(|text| text.parse().ok());
    let lengths = address.map(|address| rules.get(block::lengths_key(address))).transpose()?.flatten();
    let blocks = lengths.unwrap_or_default().into_iter();
    let blocks = blocks.filter_map(|length| Block::around(address?, length)).collect();
    for candidate in candidates(peer, blocks) {
        if let Some(data) = rules.get(&candidate.key())? {
            return Ok(Some(Found { key: candidate.shown(), instructions: instructions(&data) }));
        }
    }
    Ok(None)
}

/// Something that a rule may be for.
enum Candidate {
    /// What is written in a rule is the key.
    Plain(Vec<u8>),
    Block(Block),
}

impl Candidate {
    fn key(&self) -> Vec<u8> {
        match self {
            Candidate::Plain(key) => key.clone(),
            Candidate::Block(block) => block.key(),
        }
    }

    fn shown(self) -> Vec<u8> {
        match self {
            Candidate::Plain(key) => key,
            Candidate::Block(block) => block.to_string().into_bytes(),
        }
    }
}

/// What a peer is looked up as, in order. `blocks` are those that it is in and that may have a rule.
fn candidates(peer: Peer<'_>, blocks: Vec<Block>) -> Vec<Candidate> {
    let Peer { ip, host, info } = peer;
    let mut one = Vec::new();
    if let Some(info) = info {
        one.push([info, b"@", ip].concat());
        one.extend(host.map(|host| [info, b"@=", host].concat()));
    }
    one.push(ip.to_vec());
    one.extend(host.map(|host| [b"=", host].concat()));
    let mut rest = Vec::new();
    if let Some(host) = host {
        let dots = host.iter().enumerate().filter(|(_, byte)| **byte == b'.');
        rest.extend(dots.filter_map(|(at, _)| Some([b"=", host.split_at_checked(at)?.1].concat())));
        rest.push(b"=".to_vec());
    }
    rest.push(Vec::new());
    let plain = |keys: Vec<Vec<u8>>| keys.into_iter().map(Candidate::Plain);
    plain(one).chain(networks(ip, blocks)).chain(plain(rest)).collect()
}

/// The networks that an address is in, smallest first; a prefix comes before a block of the same size.
fn networks(ip: &[u8], blocks: Vec<Block>) -> impl Iterator<Item = Candidate> {
    let prefixes = prefixes(ip).into_iter().map(|(bits, key)| (bits, Candidate::Plain(key)));
    let blocks = blocks.into_iter().map(|block| (usize::from(block.length()), Candidate::Block(block)));
    let mut networks: Vec<(usize, Candidate)> = prefixes.chain(blocks).collect();
    networks.sort_by_key(|(bits, _)| Reverse(*bits));
    networks.into_iter().map(|(_, candidate)| candidate)
}

/// Prefixes of an address that end where a number ends, longest first, with their lengths in bits.
fn prefixes(ip: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let address: Option<Ipv6Addr> = std::str::from_utf8(ip).ok().and_then(|text| text.parse().ok());
    if let Some(address) = address {
        return ipv6::prefixes(&address);
    }
    let dots = ip.iter().enumerate().filter(|(_, byte)| **byte == b'.');
    let prefix = |(number, (at, _)): (usize, (usize, &u8))| {
        let (prefix, _) = ip.split_at_checked(at.saturating_add(1))?;
        Some((number.saturating_add(1).saturating_mul(8), prefix.to_vec()))
    };
    let mut prefixes: Vec<_> = dots.enumerate().filter_map(prefix).collect();
    prefixes.reverse();
    prefixes
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
        shown(candidates(peer, Vec::new()))
    }

    fn shown(candidates: Vec<Candidate>) -> Vec<String> {
        candidates.into_iter().map(|candidate| String::from_utf8(candidate.shown()).unwrap()).collect()
    }

    #[test]
    fn blocks_and_prefixes_go_from_the_smallest_to_the_largest() {
        let order = |ip: &str, lengths: &[u8]| {
            let address: IpAddr = ip.parse().unwrap();
            let blocks = lengths.iter().filter_map(|length| Block::around(address, *length)).collect();
            shown(candidates(Peer { ip: ip.as_bytes(), host: None, info: None }, blocks))
        };
        assert_eq!(
            order("1.2.3.4", &[0, 15, 24, 32]),
            ["1.2.3.4", "1.2.3.4/32", "1.2.3.", "1.2.3.0/24", "1.2.", "1.2.0.0/15", "1.", "0.0.0.0/0", ""]
        );
        let six = order("1:2:3:4:5:6:7:8", &[33, 32]);
        let at = six.iter().position(|key| key == "1:2::/33").unwrap();
        assert_eq!(six[at - 1..at + 4], ["1:2:3:", "1:2::/33", "1:2:", "1:2::/32", "1:"]);
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
