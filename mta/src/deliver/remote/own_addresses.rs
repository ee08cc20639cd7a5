//! Which addresses are this machine's, so that mail is not sent in a circle.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use unix::interface;

/// The addresses of this machine.
#[derive(Clone, Debug)]
pub struct OwnAddresses {
    of_interfaces: Vec<IpAddr>,
}

impl OwnAddresses {
    /// Asks the kernel.
    ///
    /// # Errors
    /// It would not tell. Nobody may go on as if there were none.
    pub fn of_this_machine() -> io::Result<OwnAddresses> {
        Ok(OwnAddresses::new(interface::addresses()?))
    }

    /// These addresses, and those that mean "this machine" everywhere.
    pub fn new(of_interfaces: Vec<IpAddr>) -> OwnAddresses {
        OwnAddresses { of_interfaces }
    }

    /// Whether an address that somebody wrote in figures is ours: an interface's, or the unspecified one.
    /// Another loopback address than the interface's is not: something else may be listening there.
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_unspecified() || self.of_interfaces.iter().any(|own| own.to_canonical() == address)
    }

    /// Whether an exchanger's address leads to us: our own addresses, and all that cannot lead to another
    /// machine. DNS is somebody else's word, and should not make us talk to what trusts this machine.
    pub fn contain_exchanger(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_loopback() || is_this_network(address) || self.contain(address)
    }
}

/// 0.0.0.0/8 (RFC 1122 §3.2.1.3), which reaches this machine on many systems.
fn is_this_network(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(v4) if v4.octets().first() == Ipv4Addr::UNSPECIFIED.octets().first())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> OwnAddresses {
        OwnAddresses::new(vec![[192, 0, 2, 1].into(), [127, 0, 0, 1].into(), "2001:db8::1".parse().unwrap()])
    }

    #[test]
    fn b2_exchangers_that_cannot_be_another_machine_count_as_ourselves() {
        for own in [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "127.9.9.9",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:0.0.0.0",
            "192.0.2.1",
            "::ffff:192.0.2.1",
            "2001:db8::1",
        ] {
            assert!(ours().contain_exchanger(own.parse().unwrap()), "{own}");
        }
        for other in ["192.0.2.2", "2001:db8::2", "::2", "128.0.0.1"] {
            assert!(!ours().contain_exchanger(other.parse().unwrap()), "{other}");
        }
    }

    #[test]
    fn a_loopback_address_in_figures_is_ours_only_if_an_interface_has_it() {
        assert!(ours().contain([127, 0, 0, 1].into()));
        assert!(ours().contain([0, 0, 0, 0].into()));
        assert!(!ours().contain([127, 0, 0, 2].into()));
    }
}
