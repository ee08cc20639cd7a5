//! What this server accepts from whom: the control files and variables that decide, and their decisions.

use super::data::BareCarriageReturn;
use super::path::{ForwardPath, ReversePath};
use crate::control::rcpthosts::RcptHosts;
use crate::control::{Control, NameSet, Unreadable};
use crate::decide::recipients::Answer;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use unix::{environment, number};

/// Recipients of one message where `control/maxrecipients` does not say otherwise. RFC 5321 §4.5.3.1.8 asks for 100.
const MAX_RECIPIENTS: u64 = 1000;

/// The administrator's decisions.
pub struct Policy {
    /// Hosts that anybody may send to.
    pub recipient_hosts: RcptHosts,
    /// RELAYCLIENT: this client may send anywhere, and its recipients get this at their end.
    pub relay_client: Option<Vec<u8>>,
    /// Senders from whom nothing is taken.
    pub bad_senders: BadSenders,
    /// Which address literals are ours, and the host that they stand for.
    pub own_literals: OwnLiterals,
    /// Largest message, in bytes; 0 is no limit.
    pub databytes: u64,
    /// Most recipients of one message; 0 is no limit.
    pub max_recipients: u64,
    /// What is done with a carriage return in the middle of a line.
    pub bare_cr: BareCarriageReturn,
    /// Says whether a recipient exists; without it all count as existing.
    pub recipient_check: Option<RecipientCheck>,
}

/// A way to find out whether a recipient exists.
pub type RecipientCheck = Box<dyn Fn(&ForwardPath) -> Answer>;

impl Policy {
    /// Reads `localiphost`, `rcpthosts`, `morercpthosts.cdb`, `badmailfrom`, `databytes`, `maxrecipients`,
    /// `smtpdbarecr`, and the variables DATABYTES and RELAYCLIENT.
    pub fn read(control: &Control) -> Result<Policy, Unreadable> {
        let own_literals = OwnLiterals { host: control.line_or_me("localiphost")?, addresses: None };
        let recipient_hosts = RcptHosts::read(control)?;
        let bad_senders = BadSenders(control.set("badmailfrom")?.unwrap_or_default());
        let bare_cr_allowed = control.integer("smtpdbarecr", 0)? != 0;
        Ok(Policy {
            recipient_hosts,
            relay_client: environment::get("RELAYCLIENT"),
            bad_senders,
            own_literals,
            databytes: databytes(control)?,
            max_recipients: max_recipients(control)?,
            bare_cr: if bare_cr_allowed { BareCarriageReturn::Data } else { BareCarriageReturn::Refused },
            recipient_check: None,
        })
    }

    /// Whether a message that the client says has this size may be sent at all.
    pub fn admits_size(&self, size: u64) -> bool {
        self.databytes == 0 || size <= self.databytes
    }

    /// The recipient as it is queued, or nothing if this client may not send to its host.
    ///
    /// # Errors
    /// Whether it may cannot be found out.
    pub fn admit(&self, recipient: ForwardPath) -> io::Result<Option<ForwardPath>> {
        if let Some(suffix) = &self.relay_client {
            return Ok(Some(recipient.with_suffix(suffix)));
        }
        Ok(self.recipient_hosts.allows(recipient.address())?.then_some(recipient))
    }

    /// Whether an admitted recipient exists.
    pub fn check(&self, recipient: &ForwardPath) -> Answer {
        self.recipient_check.as_ref().map_or(Answer::Accepted, |check| check(recipient))
    }
}

/// The size that `databytes` or the variable DATABYTES allows; 0 is no limit.
pub fn databytes(control: &Control) -> Result<u64, Unreadable> {
    let limit = control.integer("databytes", 0)?;
    Ok(environment::get("DATABYTES").map_or(limit, |text| number::scan(&text).0))
}

/// The number of recipients that `maxrecipients` allows; 0 is no limit.
pub fn max_recipients(control: &Control) -> Result<u64, Unreadable> {
    control.integer("maxrecipients", MAX_RECIPIENTS)
}

/// `badmailfrom`: addresses, and hosts written `@host`.
#[derive(Clone, Debug, Default)]
pub struct BadSenders(pub NameSet);

impl BadSenders {
    /// Whether the sender or the sender's host is listed. Hosts below a listed one are not.
    pub fn contains(&self, sender: &ReversePath) -> bool {
        let address = sender.address();
        let at_host = memchr::memrchr(b'@', address).and_then(|at| address.get(at..));
        self.0.contains(address) || at_host.is_some_and(|host| self.0.contains(host))
    }
}

/// Addresses of this machine in brackets, which stand for a host name: `joe@[192.0.2.1]`.
#[derive(Clone, Debug, Default)]
pub struct OwnLiterals {
    /// `localiphost`; without it literals are left alone.
    pub host: Option<Vec<u8>>,
    /// The addresses of this machine, once [somebody needs them](OwnLiterals::need_addresses).
    pub addresses: Option<Vec<IpAddr>>,
}

impl OwnLiterals {
    /// Whether a command with this argument can be answered only by who knows the addresses. Few have one, and to ask the kernel
    /// takes longer than the rest of a session's beginning.
    pub fn need_addresses(&self, argument: &[u8]) -> bool {
        self.host.is_some() && self.addresses.is_none() && argument.contains(&b'[')
    }

    /// The address with our host name in place of a literal of ours after its last `@`.
    pub fn replace(&self, mut address: Vec<u8>) -> Vec<u8> {
        let Some(host) = &self.host else { return address };
        let Some(at) = memchr::memrchr(b'@', &address) else { return address };
        let literal = address.get(at.saturating_add(1)..).and_then(parse_literal);
        if literal.is_some_and(|ip| self.is_ours(ip)) {
            address.truncate(at.saturating_add(1));
            address.extend_from_slice(host);
        }
        address
    }

    fn is_ours(&self, address: IpAddr) -> bool {
        address.is_unspecified() || self.addresses.iter().flatten().any(|ours| *ours == address)
    }
}

/// `[192.0.2.1]` or `[IPv6:2001:db8::1]`, RFC 5321 §4.1.3. Octets count modulo 256, as they always have.
fn parse_literal(text: &[u8]) -> Option<IpAddr> {
    let inner = text.strip_prefix(b"[")?.strip_suffix(b"]")?;
    if let Some((tag, address)) = inner.split_at_checked(5)
        && tag.eq_ignore_ascii_case(b"ipv6:")
    {
        let address: Ipv6Addr = std::str::from_utf8(address).ok()?.parse().ok()?;
        return Some(IpAddr::V6(address).to_canonical());
    }
    let octets: Option<Vec<u8>> = inner.split(|byte| *byte == b'.').map(octet).collect();
    Some(Ipv4Addr::from(<[u8; 4]>::try_from(octets?).ok()?).into())
}

fn octet(digits: &[u8]) -> Option<u8> {
    let all_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let value = |sum: u8, digit: &u8| sum.wrapping_mul(10).wrapping_add(digit.wrapping_sub(b'0'));
    all_digits.then(|| digits.iter().fold(0, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_sender_is_an_address_or_a_whole_host() {
        let listed = [&b"spammer@bad.example"[..], b"@evil.example"].map(<[u8]>::to_vec);
        let bad = BadSenders(NameSet::new(listed.to_vec()));
        let is_bad = |address: &str| bad.contains(&ReversePath::new(address.as_bytes().to_vec()).unwrap());
        assert!(is_bad("SPAMMER@bad.example") && is_bad("x@y@EVIL.example") && is_bad("@evil.example"));
        assert!(!is_bad("x@bad.example") && !is_bad("x@sub.evil.example") && !is_bad("") && !is_bad("evil"));
    }

    #[test]
    fn an_address_literal_of_ours_becomes_our_host() {
        let addresses = vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        let own = OwnLiterals { host: Some(b"me.example".to_vec()), addresses: Some(addresses) };
        let replaced = |address: &str| String::from_utf8(own.replace(address.as_bytes().to_vec())).unwrap();
        for ours in [
            "[192.0.2.1]",
            "[448.256.258.01]",
            "[0.0.0.0]",
            "[IPv6:2001:DB8:0::1]",
            "[ipv6:::]",
            "[IPv6:::ffff:192.0.2.1]",
        ] {
            assert_eq!(replaced(&format!("a@b@{ours}")), "a@b@me.example", "{ours}");
        }
        for other in [
            "[192.0.2.2]",
            "192.0.2.1",
            "[192.0.2.1",
            "[192.0.2.1]x",
            "[192.0.2]",
            "[192.0.2.1.]",
            "[IPv6:::2]",
            "[]",
        ] {
            assert_eq!(replaced(&format!("a@{other}")), format!("a@{other}"));
        }
        assert_eq!(replaced("[192.0.2.1]"), "[192.0.2.1]");
        let without_name = OwnLiterals { host: None, ..own.clone() };
        assert_eq!(without_name.replace(b"a@[192.0.2.1]".to_vec()), b"a@[192.0.2.1]");
    }
}
