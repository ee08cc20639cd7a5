//! What this server accepts from whom.

use crate::control::rcpthosts::RcptHosts;
use crate::control::{Control, Unreadable};
use crate::receive::envelope_address::LONGEST;
use crate::receive::qmtpd::request::Address;
use crate::receive::smtpd::policy::{databytes, max_recipients};
use std::io;
use unix::environment;

/// The administrator's decisions.
pub struct Policy {
    /// Hosts that anybody may send to.
    pub recipient_hosts: RcptHosts,
    /// RELAYCLIENT: this client may send anywhere, and its recipients get this at their end.
    pub relay_client: Option<Vec<u8>>,
    /// Largest message, in bytes; 0 is no limit.
    pub databytes: u64,
    /// Most recipients of one message; 0 is no limit.
    pub max_recipients: u64,
}

/// What becomes of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It gets what becomes of the message. The address as it is queued.
    Accept(Vec<u8>),
    /// Its address cannot be one.
    Unusable,
    /// The client may not send there.
    NotAllowed,
}

impl Policy {
    /// Reads `rcpthosts`, `morercpthosts.cdb`, `databytes`, `maxrecipients`, and the variables DATABYTES and
    /// RELAYCLIENT.
    pub fn read(control: &Control) -> Result<Policy, Unreadable> {
        Ok(Policy {
            recipient_hosts: RcptHosts::read(control)?,
            relay_client: environment::get("RELAYCLIENT"),
            databytes: databytes(control)?,
            max_recipients: max_recipients(control)?,
        })
    }

    /// Whether a message of this size is taken.
    pub fn admits_size(&self, size: u64) -> bool {
        self.databytes == 0 || size <= self.databytes
    }

    /// Decides about a recipient.
    ///
    /// # Errors
    /// Whether the client may send there cannot be found out.
    pub fn decide(&self, address: Address) -> io::Result<Decision> {
        let Ok(mut address) = address else { return Ok(Decision::Unusable) };
        if let Some(suffix) = &self.relay_client {
            address.extend_from_slice(suffix);
            let fits = address.len() <= LONGEST;
            return Ok(if fits { Decision::Accept(address) } else { Decision::Unusable });
        }
        let allowed = self.recipient_hosts.allows(&address)?;
        Ok(if allowed { Decision::Accept(address) } else { Decision::NotAllowed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::NameSet;
    use crate::receive::envelope_address::Unacceptable;

    fn policy(relay_client: Option<&str>) -> Policy {
        let hosts = NameSet::new(vec![b"here.example".to_vec()]);
        Policy {
            recipient_hosts: RcptHosts::Listed { hosts, more: None },
            relay_client: relay_client.map(|suffix| suffix.as_bytes().to_vec()),
            databytes: 0,
            max_recipients: 0,
        }
    }

    fn decide(policy: &Policy, address: &str) -> Decision {
        policy.decide(Ok(address.as_bytes().to_vec())).unwrap()
    }

    #[test]
    fn a_relay_client_may_send_anywhere_and_its_recipients_get_the_suffix() {
        let others = policy(None);
        assert_eq!(decide(&others, "a@here.example"), Decision::Accept(b"a@here.example".to_vec()));
        assert_eq!(decide(&others, "a@there.example"), Decision::NotAllowed);
        assert_eq!(decide(&others, "a"), Decision::Accept(b"a".to_vec()));
        let relay = policy(Some(".gw"));
        assert_eq!(decide(&relay, "a@there.example"), Decision::Accept(b"a@there.example.gw".to_vec()));
    }

    #[test]
    fn the_suffix_counts_towards_the_length() {
        let longest = "a".repeat(LONGEST - 3);
        assert!(matches!(decide(&policy(Some(".gw")), &longest), Decision::Accept(_)));
        assert_eq!(decide(&policy(Some(".gws")), &longest), Decision::Unusable);
        assert_eq!(policy(None).decide(Err(Unacceptable::TooLong)).unwrap(), Decision::Unusable);
    }
}
