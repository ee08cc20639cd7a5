//! How much of the server one peer may have: connections at a time, for an address and for the network around it,
//! and new connections a second.

use crate::rules::block::Block;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use unix::process::Pid;

/// What is allowed; `None` is anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PeerLimits {
    /// Connections at a time from one address.
    pub address: Option<u64>,
    /// Connections at a time from one network: an IPv4 /24 or an IPv6 /64.
    pub network: Option<u64>,
    /// New connections in one second from one address, served or not.
    pub second: Option<u64>,
}

/// Which limit a connection would pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Excess {
    Address,
    Network,
    Second,
}

/// Who is connected, as far as there are limits.
#[derive(Debug)]
pub(super) struct Peers {
    limits: PeerLimits,
    children: HashMap<Pid, IpAddr>,
    addresses: HashMap<IpAddr, u64>,
    networks: HashMap<Block, u64>,
    /// New connections since the second began.
    recent: HashMap<IpAddr, u64>,
    second: Option<Instant>,
}

impl Peers {
    /// Nobody is connected.
    pub fn new(limits: PeerLimits) -> Peers {
        Peers {
            limits,
            children: HashMap::new(),
            addresses: HashMap::new(),
            networks: HashMap::new(),
            recent: HashMap::new(),
            second: None,
        }
    }

    /// Whether a new connection may be served.
    pub fn admit(&mut self, address: IpAddr, now: Instant) -> Result<(), Excess> {
        if let Some(limit) = self.limits.second {
            self.begin_second(now);
            let count = self.recent.entry(address).or_default();
            *count = count.saturating_add(1);
            if *count > limit {
                return Err(Excess::Second);
            }
        }
        if is_reached(&self.addresses, &address, self.limits.address) {
            return Err(Excess::Address);
        }
        if network(address).is_some_and(|network| is_reached(&self.networks, &network, self.limits.network)) {
            return Err(Excess::Network);
        }
        Ok(())
    }

    /// Forgets what is older than a second, so that memory is kept for no more than that.
    fn begin_second(&mut self, now: Instant) {
        let is_over = |start| now.saturating_duration_since(start) >= Duration::from_secs(1);
        if self.second.is_none_or(is_over) {
            self.second = Some(now);
            self.recent = HashMap::new();
        }
    }

    /// A child serves a connection.
    pub fn started(&mut self, child: Pid, address: IpAddr) {
        if self.limits.address.is_none() && self.limits.network.is_none() {
            return;
        }
        self.children.insert(child, address);
        add(&mut self.addresses, address);
        if let Some(network) = network(address) {
            add(&mut self.networks, network);
        }
    }

    /// A child ended.
    pub fn ended(&mut self, child: Pid) {
        let Some(address) = self.children.remove(&child) else { return };
        take_away(&mut self.addresses, &address);
        if let Some(network) = network(address) {
            take_away(&mut self.networks, &network);
        }
    }
}

/// What one customer is usually given.
fn network(address: IpAddr) -> Option<Block> {
    Block::around(address, if address.is_ipv4() { 24 } else { 64 })
}

fn is_reached<K: Hash + Eq>(counts: &HashMap<K, u64>, key: &K, limit: Option<u64>) -> bool {
    limit.is_some_and(|limit| counts.get(key).copied().unwrap_or(0) >= limit)
}

fn add<K: Hash + Eq>(counts: &mut HashMap<K, u64>, key: K) {
    let count = counts.entry(key).or_default();
    *count = count.saturating_add(1);
}

fn take_away<K: Hash + Eq>(counts: &mut HashMap<K, u64>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(address: u64, network: u64) -> PeerLimits {
        PeerLimits { address: Some(address), network: Some(network), second: None }
    }

    /// Connects if that is allowed.
    fn connect(peers: &mut Peers, child: i32, address: &str) -> Result<(), Excess> {
        let address = address.parse().unwrap();
        peers.admit(address, Instant::now())?;
        peers.started(Pid::from_raw(child), address);
        Ok(())
    }

    #[test]
    fn an_address_and_its_network_have_their_shares_and_get_them_back() {
        let mut peers = Peers::new(limits(1, 2));
        assert_eq!(connect(&mut peers, 1, "192.0.2.1"), Ok(()));
        assert_eq!(connect(&mut peers, 2, "192.0.2.1"), Err(Excess::Address));
        assert_eq!(connect(&mut peers, 2, "192.0.2.2"), Ok(()));
        assert_eq!(connect(&mut peers, 3, "192.0.2.3"), Err(Excess::Network));
        assert_eq!(connect(&mut peers, 3, "192.0.3.3"), Ok(()));
        peers.ended(Pid::from_raw(1));
        assert_eq!(connect(&mut peers, 4, "192.0.2.1"), Ok(()));
        for child in 1..=4 {
            peers.ended(Pid::from_raw(child));
        }
        assert!(peers.children.is_empty() && peers.addresses.is_empty() && peers.networks.is_empty());
    }

    #[test]
    fn the_network_of_an_ipv6_address_has_64_bits() {
        let mut peers = Peers::new(limits(9, 1));
        assert_eq!(connect(&mut peers, 1, "2001:db8:0:1::1"), Ok(()));
        assert_eq!(connect(&mut peers, 2, "2001:db8:0:1:ffff::2"), Err(Excess::Network));
        assert_eq!(connect(&mut peers, 2, "2001:db8:0:2::1"), Ok(()));
    }

    #[test]
    fn new_connections_are_counted_by_the_second() {
        let mut peers = Peers::new(PeerLimits { second: Some(2), ..PeerLimits::default() });
        let start = Instant::now();
        let at = |peers: &mut Peers, milliseconds| {
            peers.admit(IpAddr::from([192, 0, 2, 1]), start + Duration::from_millis(milliseconds))
        };
        assert_eq!([0, 1, 2, 999].map(|time| at(&mut peers, time).is_ok()), [true, true, false, false]);
        assert_eq!(at(&mut peers, 1000), Ok(()));
        assert_eq!(peers.admit(IpAddr::from([192, 0, 2, 2]), start), Ok(()));
    }
}
