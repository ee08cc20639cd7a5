//! Which channel a recipient takes, under which address. qmail-send(8), "CONTROL FILES".

use super::channel::Channel;
use crate::control::{NameMap, NameSet};

/// What recipients are sorted by.
#[derive(Clone, Debug, Default)]
pub struct Routing {
    /// Host for addresses without one (`envnoathost`).
    pub envnoathost: Vec<u8>,
    /// Hosts for which `user%host` before the `@` is taken apart (`percenthack`).
    pub percenthack: NameSet,
    /// Hosts whose mail is delivered here (`locals`).
    pub locals: NameSet,
    /// Hosts and addresses that belong to a local user (`virtualdomains`).
    pub virtualdomains: NameMap,
}

/// Where a recipient goes, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The channel.
    pub channel: Channel,
    /// The address to deliver to.
    pub address: Vec<u8>,
    /// What decided.
    pub because: Because,
}

/// What decided where a recipient goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Because {
    /// The host is in `locals`.
    Locals,
    /// `virtualdomains` has a prefix for this key.
    VirtualDomain(Vec<u8>),
    /// `virtualdomains` has the key with nothing behind it: an exception.
    Exception(Vec<u8>),
    /// No control file says that the host is ours.
    Elsewhere,
}

impl Routing {
    /// Sorts one recipient. The address that comes back is the one to deliver to.
    pub fn route(&self, recipient: &[u8]) -> (Channel, Vec<u8>) {
        let Route { channel, address, .. } = self.decide(recipient);
        (channel, address)
    }

    /// Sorts one recipient, and says why it goes there.
    pub fn decide(&self, recipient: &[u8]) -> Route {
        let address = self.without_percent(recipient);
        let host = host(&address);
        if self.locals.contains(host) {
            return Route { channel: Channel::Local, address, because: Because::Locals };
        }
        let own = self.virtualdomains.get(&address).map(|prefix| (address.as_slice(), prefix));
        match own.or_else(|| self.virtualdomains.find_host(host)) {
            None => Route { channel: Channel::Remote, address, because: Because::Elsewhere },
            Some((key, b"")) => {
                let because = Because::Exception(key.to_vec());
                Route { channel: Channel::Remote, address, because }
            }
            Some((key, prefix)) => {
                let because = Because::VirtualDomain(key.to_vec());
                Route { channel: Channel::Local, address: [prefix, b"-", &address].concat(), because }
            }
        }
    }

    /// The address that the sender wrote: without the prefix that a virtual domain put in front.
    ///
    /// Only the host is looked up, so the prefix of a virtual *user* stays, as it always did.
    pub fn without_prefix<'a>(&self, address: &'a [u8]) -> &'a [u8] {
        let prefix = self.virtualdomains.get_host(host(address)).filter(|prefix| !prefix.is_empty());
        prefix
            .and_then(|prefix| address.strip_prefix(prefix))
            .and_then(|rest| rest.strip_prefix(b"-"))
            .unwrap_or(address)
    }

    /// The recipient with the host that it stands for.
    pub fn with_host(&self, recipient: &[u8]) -> Vec<u8> {
        if recipient.contains(&b'@') {
            recipient.to_vec()
        } else {
            [recipient, b"@", &self.envnoathost].concat()
        }
    }

    /// The recipient with its host, and with the percent hack undone where that is allowed.
    pub fn without_percent(&self, recipient: &[u8]) -> Vec<u8> {
        let mut address = self.with_host(recipient);
        while self.percenthack.contains(host(&address)) {
            let local = local_part(&address);
            let Some(percent) = local.iter().rposition(|byte| *byte == b'%') else { break };
            address.truncate(local.len());
            if let Some(byte) = address.get_mut(percent) {
                *byte = b'@';
            }
        }
        address
    }
}

/// What follows the last `@`; nothing without one.
pub fn host(address: &[u8]) -> &[u8] {
    at_position(address).and_then(|at| address.get(at.saturating_add(1)..)).unwrap_or_default()
}

/// What stands before the last `@`.
pub fn local_part(address: &[u8]) -> &[u8] {
    at_position(address).and_then(|at| address.get(..at)).unwrap_or(address)
}

fn at_position(address: &[u8]) -> Option<usize> {
    address.iter().rposition(|byte| *byte == b'@')
}

/// A sender for one recipient: `list-@host-@[]` becomes `list-joe=x.example@host` for `joe@x.example` (VERP).
///
/// Other senders stay as they are.
pub fn expand_sender(sender: &[u8], recipient: &[u8]) -> Vec<u8> {
    let expanded = || {
        let list = sender.strip_suffix(b"-@[]")?;
        let at = at_position(list)?;
        let (local, at_host) = list.split_at_checked(at)?;
        at_position(recipient)?;
        Some([local, local_part(recipient), b"=", host(recipient), at_host].concat())
    };
    expanded().unwrap_or_else(|| sender.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routing() -> Routing {
        let set = |names: &[&str]| NameSet::new(names.iter().map(|name| name.as_bytes().to_vec()).collect());
        let lines = [
            "virt.example:alice-virt",
            ".sub.example:alias-sub",
            "ex.sub.example:",
            "user@vu:tjoe-x",
            "dup:a",
            "dup:b",
        ];
        Routing {
            envnoathost: b"me.example".to_vec(),
            percenthack: set(&["ph.example"]),
            locals: set(&["me.example", "Local.Example"]),
            virtualdomains: NameMap::new(&lines.map(|line| line.as_bytes().to_vec())),
        }
    }

    fn routed(recipient: &str) -> String {
        let (channel, address) = routing().route(recipient.as_bytes());
        format!("{} {}", channel.name(), String::from_utf8(address).unwrap())
    }

    #[test]
    fn recipients_take_the_documented_ways() {
        let cases = [
            ("noat", "local noat@me.example"),
            ("", "local @me.example"),
            ("a%me.example@ph.example", "local a@me.example"),
            ("a%b%ph.example@PH.example", "remote a@b"),
            ("x%y@me.example", "local x%y@me.example"),
            ("a@LOCAL.example", "local a@LOCAL.example"),
            ("a@virt.example", "local alice-virt-a@virt.example"),
            ("a@b.sub.example", "local alias-sub-a@b.sub.example"),
            ("a@ex.sub.example", "remote a@ex.sub.example"),
            ("User@vu", "local tjoe-x-User@vu"),
            ("other@vu", "remote other@vu"),
            ("a@dup", "local b-a@dup"),
            ("a@me.example.", "remote a@me.example."),
        ];
        for (recipient, expected) in cases {
            assert_eq!(routed(recipient), expected, "{recipient}");
        }
    }

    #[test]
    fn what_decided_is_told() {
        let cases = [
            ("a@local.example", Because::Locals),
            ("a@b.sub.example", Because::VirtualDomain(b".sub.example".to_vec())),
            ("User@vu", Because::VirtualDomain(b"User@vu".to_vec())),
            ("a@ex.sub.example", Because::Exception(b"ex.sub.example".to_vec())),
            ("a@far.example", Because::Elsewhere),
        ];
        for (recipient, because) in cases {
            assert_eq!(routing().decide(recipient.as_bytes()).because, because, "{recipient}");
        }
    }

    #[test]
    fn a_virtual_host_prefix_is_taken_off_again_and_a_virtual_users_is_not() {
        let routing = routing();
        assert_eq!(routing.without_prefix(b"alice-virt-a@virt.example"), b"a@virt.example");
        assert_eq!(routing.without_prefix(b"tjoe-x-user@vu"), b"tjoe-x-user@vu");
        assert_eq!(routing.without_prefix(b"plain@elsewhere"), b"plain@elsewhere");
    }

    #[test]
    fn only_complete_verp_senders_are_expanded() {
        let expand = |sender: &str| expand_sender(sender.as_bytes(), b"bob@x.example");
        assert_eq!(expand("l-@h.example-@[]"), b"l-bob=x.example@h.example");
        for plain in ["x-@[]", "#@[]", "a@b", ""] {
            assert_eq!(expand(plain), plain.as_bytes());
        }
    }
}
