//! Blocks of addresses in CIDR notation, as `10.0.0.0/8` and `2001:db8::/32`, and how a database has them.
//!
//! A block is stored under `/4/8/0a000000` or `/6/32/20010db8…`: a family, a length in bits, and the network in
//! hexadecimal. The lengths that occur stand under `/4` and `/6`, one byte each, so that an address is looked up
//! once for each of them. Readers that know nothing of blocks never ask for a key that begins with a slash.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use unix::number;

/// All addresses that share their first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Block {
    /// The bits after the first `length` are zero.
    network: IpAddr,
    length: u8,
}

impl Block {
    /// Reads a block. A network with bits beyond its length is an error: it may not mean what was meant. So is a
    /// block of IPv4 addresses that are wrapped into IPv6, which no peer has.
    pub fn parse(text: &[u8]) -> Option<Block> {
        let slash = text.iter().position(|byte| *byte == b'/')?;
        let (network, length) = text.split_at_checked(slash)?;
        let network: IpAddr = std::str::from_utf8(network).ok()?.parse().ok()?;
        let length = u8::try_from(number::whole(length.strip_prefix(b"/")?)?).ok()?;
        let block = Block::around(network, length)?;
        let is_wrapped = network != network.to_canonical();
        (block.network == network && !is_wrapped).then_some(block)
    }

    /// The block of this length that an address is in; `None` if addresses are not that long.
    pub fn around(address: IpAddr, length: u8) -> Option<Block> {
        let network = match address {
            IpAddr::V4(address) => {
                let ones = u32::MAX.checked_shl(32_u32.checked_sub(u32::from(length))?).unwrap_or(0);
                IpAddr::from((address.to_bits() & ones).to_be_bytes())
            }
            IpAddr::V6(address) => {
                let ones = u128::MAX.checked_shl(128_u32.checked_sub(u32::from(length))?).unwrap_or(0);
                Ipv6Addr::from_bits(address.to_bits() & ones).into()
            }
        };
        Some(Block { network, length })
    }

    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        Block::around(address, self.length).as_ref() == Some(self)
    }

    /// The block of one address.
    pub fn of_one(address: IpAddr) -> Block {
        Block { network: address, length: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// The key that it is stored under.
    pub fn key(&self) -> Vec<u8> {
        let length = self.length;
        match self.network {
            IpAddr::V4(network) => format!("/4/{length}/{:08x}", network.to_bits()).into_bytes(),
            IpAddr::V6(network) => format!("/6/{length}/{:032x}", network.to_bits()).into_bytes(),
        }
    }

    /// Its length in bits.
    pub fn length(&self) -> u8 {
        self.length
    }

    /// The key that the lengths of blocks like it stand under.
    pub fn lengths_key(&self) -> &'static [u8] {
        lengths_key(self.network)
    }
}

/// The key that the lengths of the blocks of an address's family stand under.
pub fn lengths_key(address: IpAddr) -> &'static [u8] {
    if address.is_ipv4() { b"/4" } else { b"/6" }
}

impl fmt::Display for Block {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.network, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Option<String> {
        Block::parse(text.as_bytes()).map(|block| String::from_utf8(block.key()).unwrap())
    }

    #[test]
    fn blocks_have_keys_of_their_own() {
        assert_eq!(key("10.0.0.0/8").unwrap(), "/4/8/0a000000");
        assert_eq!(key("0.0.0.0/0").unwrap(), "/4/0/00000000");
        assert_eq!(key("192.0.2.1/32").unwrap(), "/4/32/c0000201");
        assert_eq!(key("2001:DB8::/32").unwrap(), "/6/32/20010db8000000000000000000000000");
        assert_eq!(key("::/0").unwrap(), "/6/0/00000000000000000000000000000000");
        assert_eq!(Block::parse(b"2001:db8:0::/33").unwrap().to_string(), "2001:db8::/33");
    }

    #[test]
    fn what_is_not_exactly_a_block_is_none() {
        for text in [
            "10.0.0.0/33",
            "10.0.0.1/8",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "10.0.0.0/8/8",
            "10/8",
            "::1/127",
            "::/129",
            "::ffff:10.0.0.0/104",
            "/8",
            "10.0.0.0/8x",
            "010.0.0.0/8",
            "10.0.0.0/264",
        ] {
            assert_eq!(key(text), None, "{text}");
        }
    }

    #[test]
    fn an_address_is_in_one_block_of_each_length() {
        let around = |address: &str, length| {
            Block::around(address.parse().unwrap(), length).map(|block| block.to_string())
        };
        assert_eq!(around("192.0.2.129", 25).unwrap(), "192.0.2.128/25");
        assert_eq!(around("192.0.2.129", 0).unwrap(), "0.0.0.0/0");
        assert_eq!(around("192.0.2.129", 33), None);
        assert_eq!(around("2001:db8:ffff::1", 33).unwrap(), "2001:db8:8000::/33");
        assert_eq!(around("::1", 129), None);
    }
}
