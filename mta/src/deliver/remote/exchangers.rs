//! Which addresses are tried, in which order.
//!
//! Exchangers are tried by preference, those of equal preference in an order that differs from run to run, so
//! that they share the load. The addresses of one exchanger alternate between IPv4 and IPv6, IPv4 first. As
//! soon as an exchanger turns out to be this machine, it and all that are not better are left out: they would
//! only send the message back to us.

use super::own_addresses::OwnAddresses;
use super::report::MessageReport;
use super::route::{Route, literal};
use std::net::IpAddr;
use std::time::{Duration, Instant};
use tcpserver::dns::{Exchanger, Resolver, Trouble};

/// Where names are looked up.
pub trait Directory {
    /// The addresses of a name.
    fn addresses(&self, name: &[u8]) -> Result<Vec<IpAddr>, Trouble>;
    /// The exchangers of a name.
    fn exchangers(&self, name: &[u8]) -> Result<Vec<Exchanger>, Trouble>;
}

impl Directory for Resolver {
    fn addresses(&self, name: &[u8]) -> Result<Vec<IpAddr>, Trouble> {
        Resolver::addresses(self, name)
    }

    fn exchangers(&self, name: &[u8]) -> Result<Vec<Exchanger>, Trouble> {
        Resolver::exchangers(self, name)
    }
}

/// The addresses for a host that is one in figures.
pub fn for_literal(address: IpAddr, route: &Route, own: &OwnAddresses) -> Result<Vec<IpAddr>, MessageReport> {
    if !route.is_relay && own.contain(address) {
        Err(MessageReport::OurselvesBest)
    } else {
        Ok(vec![address])
    }
}

/// The addresses to try for a route, best first; never none. `seed` decides among equals.
///
/// # Errors
/// A report: permanent if asking DNS again cannot help, temporary otherwise.
pub fn for_name(
    route: &Route,
    own: &OwnAddresses,
    directory: &impl Directory,
    seed: u64,
) -> Result<Vec<IpAddr>, MessageReport> {
    if route.is_relay {
        return Ok(limited(addresses_of_host(&route.host, directory)?));
    }
    match directory.exchangers(&route.host) {
        Ok(exchangers) if is_null(&exchangers) => Err(MessageReport::TakesNoMail(route.host.clone())),
        Ok(exchangers) if !exchangers.is_empty() => {
            let mut exchangers = in_order(exchangers, seed);
            exchangers.truncate(EXCHANGER_LIMIT);
            addresses_of_exchangers(&exchangers, own, directory)
        }
        Ok(_) | Err(Trouble::Absent) => {
            let addresses = addresses_of_host(&route.host, directory)?;
            if addresses.iter().any(|address| own.contain_exchanger(*address)) {
                return Err(MessageReport::OurselvesBest);
            }
            Ok(limited(addresses))
        }
        Err(Trouble::Temporary(_)) => Err(MessageReport::DnsTrouble),
    }
}

/// Whether the exchangers are the one that stands for "no mail here" (RFC 7505 §3).
fn is_null(exchangers: &[Exchanger]) -> bool {
    matches!(exchangers, [only] if only.host == NULL_HOST)
}

/// The order in which exchangers are tried.
fn in_order(exchangers: Vec<Exchanger>, seed: u64) -> Vec<Exchanger> {
    let mut state = seed;
    let mut drawn: Vec<(u16, u64, Exchanger)> = Vec::with_capacity(exchangers.len());
    for exchanger in exchangers {
        state = next_draw(state);
        drawn.push((exchanger.preference, state >> 32, exchanger));
    }
    drawn.sort_by_key(|(preference, draw, _)| (*preference, *draw));
    drawn.into_iter().map(|(_, _, exchanger)| exchanger).collect()
}

/// A linear congruential generator (Knuth's constants); enough to share load.
fn next_draw(state: u64) -> u64 {
    state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
}

/// Looks the exchangers up, best first, as far as it is of use.
fn addresses_of_exchangers(
    exchangers: &[Exchanger],
    own: &OwnAddresses,
    directory: &impl Directory,
) -> Result<Vec<IpAddr>, MessageReport> {
    let start = Instant::now();
    let mut found = Vec::new();
    let mut trouble = false;
    for group in exchangers.chunk_by(|one, next| one.preference == next.preference) {
        let mut of_group = Vec::new();
        for exchanger in group.iter().take_while(|_| start.elapsed() < LOOKUP_LIMIT) {
            match addresses_of_exchanger(&exchanger.host, directory) {
                Ok(addresses) => of_group.extend(alternating(addresses)),
                Err(Trouble::Absent) => {}
                Err(Trouble::Temporary(_)) => trouble = true,
            }
        }
        if of_group.iter().any(|address| own.contain_exchanger(*address)) {
            return if found.is_empty() { Err(MessageReport::OurselvesBest) } else { Ok(limited(found)) };
        }
        found.extend(of_group);
    }
    match found.is_empty() {
        false => Ok(limited(found)),
        true if trouble || start.elapsed() >= LOOKUP_LIMIT => Err(MessageReport::DnsTrouble),
        true => Err(MessageReport::NoExchanger),
    }
}

fn addresses_of_exchanger(host: &[u8], directory: &impl Directory) -> Result<Vec<IpAddr>, Trouble> {
    match literal(host) {
        Some(address) => Ok(vec![address]),
        None if host == NULL_HOST => Err(Trouble::Absent),
        None => directory.addresses(host),
    }
}

fn addresses_of_host(host: &[u8], directory: &impl Directory) -> Result<Vec<IpAddr>, MessageReport> {
    match directory.addresses(host) {
        Ok(addresses) if !addresses.is_empty() => Ok(alternating(addresses)),
        Ok(_) | Err(Trouble::Absent) => Err(MessageReport::NoSuchHost(host.to_vec())),
        Err(Trouble::Temporary(_)) => Err(MessageReport::DnsTrouble),
    }
}

/// One address of each family in turn, so that a family that does not work here costs one attempt and not many.
fn alternating(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let (four, six): (Vec<IpAddr>, Vec<IpAddr>) =
        addresses.into_iter().map(|address| address.to_canonical()).partition(IpAddr::is_ipv4);
    let pairs = four.len().max(six.len());
    (0..pairs).flat_map(|at| [four.get(at), six.get(at)]).flatten().copied().collect()
}

/// Each address once, and not too many.
fn limited(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let mut kept = Vec::new();
    for address in addresses {
        if !kept.contains(&address) {
            kept.push(address);
        }
        if kept.len() == ADDRESS_LIMIT {
            break;
        }
    }
    kept
}

/// The exchanger's name that says that there is none.
const NULL_HOST: &[u8] = b".";
/// How many exchangers are looked up.
const EXCHANGER_LIMIT: usize = 64;
/// How many addresses are tried.
const ADDRESS_LIMIT: usize = 64;
/// After this time no further exchanger is looked up: a domain whose servers are slow must not hold a slot for hours.
const LOOKUP_LIMIT: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    /// Names with addresses and with exchangers; all others are absent, and `slow.example` is trouble.
    #[derive(Default)]
    struct Names {
        addresses: HashMap<Vec<u8>, Vec<IpAddr>>,
        exchangers: HashMap<Vec<u8>, Vec<Exchanger>>,
    }

    impl Names {
        fn address(mut self, name: &str, addresses: &[&str]) -> Names {
            let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
            self.addresses.insert(name.as_bytes().to_vec(), addresses);
            self
        }

        fn exchanger(mut self, name: &str, preference: u16, host: &str) -> Names {
            let entry = self.exchangers.entry(name.as_bytes().to_vec()).or_default();
            entry.push(Exchanger { preference, host: host.as_bytes().to_vec() });
            self
        }
    }

    fn answer<T: Clone>(table: &HashMap<Vec<u8>, Vec<T>>, name: &[u8]) -> Result<Vec<T>, Trouble> {
        if name == b"slow.example" {
            return Err(Trouble::Temporary("timed out".into()));
        }
        table.get(name).cloned().ok_or(Trouble::Absent)
    }

    impl Directory for Names {
        fn addresses(&self, name: &[u8]) -> Result<Vec<IpAddr>, Trouble> {
            answer(&self.addresses, name)
        }

        fn exchangers(&self, name: &[u8]) -> Result<Vec<Exchanger>, Trouble> {
            answer(&self.exchangers, name)
        }
    }

    fn route(host: &str) -> Route {
        Route { host: host.as_bytes().to_vec(), port: 25, is_relay: false }
    }

    fn own() -> OwnAddresses {
        OwnAddresses::new(vec![[192, 0, 2, 100].into()])
    }

    fn found(names: &Names, host: &str) -> Result<Vec<String>, MessageReport> {
        let addresses = for_name(&route(host), &own(), names, 1)?;
        Ok(addresses.iter().map(IpAddr::to_string).collect())
    }

    #[test]
    fn exchangers_come_by_preference_and_a_host_without_any_is_its_own() {
        let names = Names::default()
            .exchanger("x.example", 20, "b.example")
            .exchanger("x.example", 10, "a.example")
            .address("a.example", &["192.0.2.1"])
            .address("b.example", &["192.0.2.2"]);
        assert_eq!(found(&names, "x.example").unwrap(), ["192.0.2.1", "192.0.2.2"]);
        assert_eq!(found(&names, "a.example").unwrap(), ["192.0.2.1"]);
    }

    #[test]
    fn the_families_of_an_exchanger_alternate_and_no_address_comes_twice() {
        let names = Names::default().address(
            "a.example",
            &["192.0.2.1", "192.0.2.2", "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.9"],
        );
        let expected = ["192.0.2.1", "2001:db8::1", "192.0.2.2", "192.0.2.9"];
        assert_eq!(found(&names, "a.example").unwrap(), expected);
    }

    #[test]
    fn an_exchanger_that_is_ourselves_cuts_off_all_that_are_not_better() {
        let names = Names::default()
            .exchanger("x.example", 10, "a.example")
            .exchanger("x.example", 20, "us.example")
            .exchanger("x.example", 20, "equal.example")
            .exchanger("x.example", 30, "c.example")
            .exchanger("ours.example", 5, "us.example")
            .exchanger("ours.example", 10, "a.example")
            .address("a.example", &["192.0.2.1"])
            .address("us.example", &["192.0.2.100"])
            .address("equal.example", &["192.0.2.2"])
            .address("c.example", &["192.0.2.3"]);
        assert_eq!(found(&names, "x.example").unwrap(), ["192.0.2.1"]);
        assert_eq!(found(&names, "ours.example"), Err(MessageReport::OurselvesBest));
        assert_eq!(found(&names, "us.example"), Err(MessageReport::OurselvesBest));
    }

    #[test]
    fn b2_an_exchanger_at_a_loopback_address_is_ourselves() {
        let names = Names::default()
            .exchanger("x.example", 10, "trap.example")
            .exchanger("y.example", 10, "127.0.0.9")
            .address("trap.example", &["::ffff:127.0.0.2"]);
        assert_eq!(found(&names, "x.example"), Err(MessageReport::OurselvesBest));
        assert_eq!(found(&names, "y.example"), Err(MessageReport::OurselvesBest));
    }

    #[test]
    fn b2_a_null_exchanger_bounces_at_once() {
        let names = Names::default().exchanger("x.example", 0, ".").address("x.example", &["192.0.2.1"]);
        assert_eq!(found(&names, "x.example"), Err(MessageReport::TakesNoMail(b"x.example".to_vec())));
    }

    #[test]
    fn a_relay_may_be_this_machine_and_its_exchangers_do_not_matter() {
        let names = Names::default()
            .exchanger("relay", 5, "a.example")
            .address("relay", &["127.0.0.1", "192.0.2.100"]);
        let relay = Route { is_relay: true, ..route("relay") };
        let addresses = for_name(&relay, &own(), &names, 1).unwrap();
        assert_eq!(addresses, [IpAddr::from([127, 0, 0, 1]), IpAddr::from([192, 0, 2, 100])]);
    }

    #[test]
    fn what_is_absent_bounces_and_what_is_not_known_is_tried_again() {
        let names = Names::default()
            .exchanger("half.example", 10, "slow.example")
            .exchanger("half.example", 20, "a.example")
            .exchanger("stuck.example", 10, "slow.example")
            .exchanger("stuck.example", 20, "gone.example")
            .exchanger("empty.example", 10, "gone.example")
            .address("a.example", &["192.0.2.1"]);
        assert_eq!(found(&names, "gone.example"), Err(MessageReport::NoSuchHost(b"gone.example".to_vec())));
        assert_eq!(found(&names, "slow.example"), Err(MessageReport::DnsTrouble));
        assert_eq!(found(&names, "half.example").unwrap(), ["192.0.2.1"]);
        assert_eq!(found(&names, "stuck.example"), Err(MessageReport::DnsTrouble));
        assert_eq!(found(&names, "empty.example"), Err(MessageReport::NoExchanger));
    }

    #[test]
    fn m4_of_very_many_exchangers_and_addresses_64_are_used() {
        let mut names = Names::default();
        for number in 0..1000_u32 {
            let (host, address) =
                (format!("h{number}.example"), IpAddr::from((0x0a00_0000 + number).to_be_bytes()));
            names = names.exchanger("x.example", 10, &host).address(&host, &[&address.to_string()]);
        }
        assert_eq!(found(&names, "x.example").unwrap().len(), 64);
    }

    #[test]
    fn a_literal_address_is_tried_unless_it_is_ours() {
        let tried = |address: [u8; 4], is_relay| {
            for_literal(address.into(), &Route { is_relay, ..route("") }, &own()).is_ok()
        };
        assert!(tried([192, 0, 2, 1], false));
        assert!(tried([127, 0, 0, 2], false));
        assert!(!tried([192, 0, 2, 100], false));
        assert!(tried([192, 0, 2, 100], true));
    }

    proptest! {
        #[test]
        fn the_order_keeps_every_exchanger_and_never_a_worse_one_before_a_better(
            preferences in prop::collection::vec(0..4_u16, 0..20),
            seed in any::<u64>(),
        ) {
            let exchangers: Vec<Exchanger> = preferences.iter().enumerate()
                .map(|(at, preference)| Exchanger { preference: *preference, host: at.to_string().into_bytes() })
                .collect();
            let ordered = in_order(exchangers.clone(), seed);
            prop_assert!(ordered.is_sorted_by_key(|exchanger| exchanger.preference));
            prop_assert_eq!(ordered.len(), exchangers.len());
            prop_assert!(exchangers.iter().all(|exchanger| ordered.contains(exchanger)));
        }
    }

    #[test]
    fn equals_are_not_always_tried_in_the_same_order() {
        let exchangers: Vec<Exchanger> =
            (0..4_u8).map(|at| Exchanger { preference: 0, host: vec![at] }).collect();
        let firsts: std::collections::HashSet<Vec<u8>> =
            (0..100).map(|seed| in_order(exchangers.clone(), next_draw(seed)).remove(0).host).collect();
        assert_eq!(firsts.len(), 4);
    }
}
