//! What is known about a connection, and the variables that tell the program (tcp-environ(5)).

use std::net::SocketAddr;
use unix::environment::Environment;

/// One end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Its address and port; an IPv4 address is never wrapped into an IPv6 one.
    pub address: SocketAddr,
    /// Its name, if there is one.
    pub host: Option<Vec<u8>>,
}

/// Both ends, and what the ident server of the remote one said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// This side.
    pub local: End,
    /// The peer.
    pub remote: End,
    /// What an ident server answered, which may be nothing; `None` if it did not answer.
    pub info: Option<Vec<u8>>,
}

impl Facts {
    /// Sets the variables. What is not known is removed, so that no inherited value passes for a fact.
    pub fn set_variables(&self, environment: &mut Environment) {
        environment.set("PROTO", "TCP");
        for (prefix, end) in [("TCPLOCAL", &self.local), ("TCPREMOTE", &self.remote)] {
            environment.set(format!("{prefix}IP"), end.address.ip().to_string());
            environment.set(format!("{prefix}PORT"), end.address.port().to_string());
            environment.set_or_remove(format!("{prefix}HOST"), end.host.as_deref());
        }
        environment.set_or_remove("TCPREMOTEINFO", self.info.as_deref());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inherited_values_never_pass_for_facts() {
        let mut environment = Environment::empty();
        for name in ["PROTO", "TCPLOCALHOST", "TCPREMOTEHOST", "TCPREMOTEINFO", "TCPREMOTEIP"] {
            environment.set(name, "inherited");
        }
        let end = |text: &str| End { address: text.parse().unwrap(), host: None };
        let facts = Facts { local: end("[::1]:25"), remote: end("192.0.2.1:5"), info: None };
        facts.set_variables(&mut environment);
        assert_eq!(environment.get("PROTO"), Some(&b"TCP"[..]));
        assert_eq!(environment.get("TCPLOCALIP"), Some(&b"::1"[..]));
        assert_eq!(environment.get("TCPREMOTEIP"), Some(&b"192.0.2.1"[..]));
        assert_eq!(environment.get("TCPREMOTEPORT"), Some(&b"5"[..]));
        for name in ["TCPLOCALHOST", "TCPREMOTEHOST", "TCPREMOTEINFO"] {
            assert_eq!(environment.get(name), None, "{name}");
        }
    }
}
