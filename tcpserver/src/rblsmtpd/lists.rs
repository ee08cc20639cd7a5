//! What the lists, and whoever set `$RBLSMTPD`, say about a client.

use super::options::{IfItFails, Step, TurnedAway};
use crate::dns::{Resolver, Trouble};
use std::fmt::Write;
use std::net::IpAddr;

/// What becomes of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The SMTP server talks to it.
    Served,
    /// It is turned away.
    TurnedAway {
        how: TurnedAway,
        /// Why.
        text: Vec<u8>,
        /// The list that names it. None if `$RBLSMTPD` said so, or a lookup failed.
        list: Option<Vec<u8>>,
    },
}

impl Verdict {
    /// The list that names the client, if one of them does.
    pub fn list(&self) -> Option<&[u8]> {
        match self {
            Verdict::TurnedAway { list, .. } => list.as_deref(),
            Verdict::Served => None,
        }
    }
}

/// Asks about one name in a list.
pub(super) trait Ask {
    /// Whether the client is on a list of those who are let in.
    fn allows(&mut self, base: &[u8]) -> Result<bool, Trouble>;

    /// The texts under which the client is on a list of those who are turned away.
    fn blocks(&mut self, base: &[u8]) -> Result<Vec<u8>, Trouble>;
}

/// Follows `$RBLSMTPD` if it is set, and the steps otherwise, until one of them decides.
///
/// After any lookup that failed nobody's mail bounces: the list that failed may have let the client in.
pub(super) fn judge(told: Option<&[u8]>, steps: &[Step], lists: &mut impl Ask) -> Verdict {
    if let Some(told) = told {
        return match told.strip_prefix(b"-") {
            _ if told.is_empty() => Verdict::Served,
            Some(text) => Verdict::TurnedAway { how: TurnedAway::ForGood, text: text.to_vec(), list: None },
            None => Verdict::TurnedAway { how: TurnedAway::ForNow, text: told.to_vec(), list: None },
        };
    }
    let mut may_bounce = true;
    for step in steps {
        match step {
            Step::Allow { base, if_it_fails } => match (lists.allows(base), if_it_fails) {
                (Ok(true), _) => return Verdict::Served,
                (Ok(false), _) => {}
                (Err(_), IfItFails::Lenient) => return Verdict::Served,
                (Err(_), IfItFails::Strict) => may_bounce = false,
            },
            Step::Block { base, turned_away, if_it_fails } => match (lists.blocks(base), if_it_fails) {
                (Ok(text), _) if text.is_empty() => {}
                (Ok(text), _) => {
                    let how = if may_bounce { *turned_away } else { TurnedAway::ForNow };
                    return Verdict::TurnedAway { how, text, list: Some(base.clone()) };
                }
                (Err(_), IfItFails::Lenient) => may_bounce = false,
                (Err(_), IfItFails::Strict) => {
                    let (how, text) = (TurnedAway::ForNow, LOOKUP_FAILED.to_vec());
                    return Verdict::TurnedAway { how, text, list: None };
                }
            },
        }
    }
    Verdict::Served
}

/// The lists, as the DNS has them.
pub(super) struct Lists {
    /// What stands before the name of a list.
    client: Vec<u8>,
    /// Made when the first list is asked.
    resolver: Option<Resolver>,
}

impl Lists {
    /// About the client with this address.
    pub fn new(client: &[u8]) -> Lists {
        Lists { client: reversed(client), resolver: None }
    }

    fn ask<T>(
        &mut self,
        base: &[u8],
        question: impl FnOnce(&Resolver, &[u8]) -> Result<Vec<T>, Trouble>,
    ) -> Result<Vec<T>, Trouble> {
        let resolver = match self.resolver.take() {
            Some(resolver) => resolver,
            None => Resolver::from_system()?,
        };
        let answer = question(&resolver, &[&self.client, base].concat());
        self.resolver = Some(resolver);
        match answer {
            Err(Trouble::Absent) => Ok(Vec::new()),
            other => other,
        }
    }
}

impl Ask for Lists {
    fn allows(&mut self, base: &[u8]) -> Result<bool, Trouble> {
        self.ask(base, Resolver::ipv4_addresses).map(|addresses| !addresses.is_empty())
    }

    fn blocks(&mut self, base: &[u8]) -> Result<Vec<u8>, Trouble> {
        self.ask(base, Resolver::texts).map(|texts| texts.concat())
    }
}

/// An address as lists have it: `4.3.2.1.` for 1.2.3.4, the hexadecimal digits for IPv6 (RFC 5782). Of what is no
/// address the parts between dots are turned round; of nothing, nothing is left.
fn reversed(client: &[u8]) -> Vec<u8> {
    let address = std::str::from_utf8(client).ok().and_then(|text| text.parse::<IpAddr>().ok());
    let mut name = String::new();
    match address.map(|address| address.to_canonical()) {
        Some(IpAddr::V6(address)) => {
            for byte in address.octets().into_iter().rev() {
                // Writing to a string does not fail.
                let _ = write!(name, "{:x}.{:x}.", byte & 15, byte >> 4);
            }
            name.into_bytes()
        }
        Some(IpAddr::V4(address)) => turned_round(address.to_string().as_bytes()),
        None if client.is_empty() => Vec::new(),
        None => turned_round(client),
    }
}

fn turned_round(text: &[u8]) -> Vec<u8> {
    text.rsplit(|byte| *byte == b'.').flat_map(|part| [part, b"."].concat()).collect()
}

const LOOKUP_FAILED: &[u8] = b"temporary RBL lookup error";

#[cfg(test)]
mod tests {
    use super::*;

    /// Lists by name: `yes` has the client, `no` does not, `fail` fails.
    struct Known;

    impl Ask for Known {
        fn allows(&mut self, base: &[u8]) -> Result<bool, Trouble> {
            match base {
                b"yes" => Ok(true),
                b"no" => Ok(false),
                _ => Err(Trouble::Temporary("timed out".into())),
            }
        }

        fn blocks(&mut self, base: &[u8]) -> Result<Vec<u8>, Trouble> {
            self.allows(base).map(|on_it| if on_it { b"listed".to_vec() } else { Vec::new() })
        }
    }

    fn allow(base: &str, if_it_fails: IfItFails) -> Step {
        Step::Allow { base: base.into(), if_it_fails }
    }

    fn block(base: &str, turned_away: TurnedAway, if_it_fails: IfItFails) -> Step {
        Step::Block { base: base.into(), turned_away, if_it_fails }
    }

    use IfItFails::{Lenient, Strict};
    use TurnedAway::{ForGood, ForNow};

    fn away(how: TurnedAway, text: &str) -> Verdict {
        Verdict::TurnedAway { how, text: text.into(), list: None }
    }

    /// As the list `yes` turns away.
    fn listed(how: TurnedAway) -> Verdict {
        Verdict::TurnedAway { how, text: "listed".into(), list: Some("yes".into()) }
    }

    #[test]
    fn the_variable_decides_if_it_is_set() {
        let steps = [block("yes", ForGood, Lenient)];
        let told = |text: &str| judge(Some(text.as_bytes()), &steps, &mut Known);
        assert_eq!(told(""), Verdict::Served);
        assert_eq!(told("go away"), away(ForNow, "go away"));
        assert_eq!(told("-never"), away(ForGood, "never"));
    }

    #[test]
    fn the_first_list_that_says_something_decides() {
        let judged = |steps: &[Step]| judge(None, steps, &mut Known);
        assert_eq!(judged(&[]), Verdict::Served);
        assert_eq!(judged(&[block("no", ForNow, Strict), allow("no", Strict)]), Verdict::Served);
        assert_eq!(judged(&[allow("yes", Lenient), block("yes", ForNow, Lenient)]), Verdict::Served);
        assert_eq!(judged(&[block("yes", ForNow, Lenient), block("yes", ForGood, Lenient)]), listed(ForNow));
        assert_eq!(judged(&[allow("no", Lenient), block("yes", ForGood, Lenient)]), listed(ForGood));
    }

    #[test]
    fn after_a_failure_nothing_bounces() {
        let judged = |steps: &[Step]| judge(None, steps, &mut Known);
        assert_eq!(judged(&[allow("fail", Lenient), block("yes", ForGood, Lenient)]), Verdict::Served);
        assert_eq!(judged(&[allow("fail", Strict), block("yes", ForGood, Lenient)]), listed(ForNow));
        assert_eq!(judged(&[block("fail", ForGood, Lenient)]), Verdict::Served);
        assert_eq!(
            judged(&[block("fail", ForGood, Lenient), block("yes", ForGood, Lenient)]),
            listed(ForNow)
        );
        assert_eq!(judged(&[block("fail", ForGood, Strict)]), away(ForNow, "temporary RBL lookup error"));
    }

    #[test]
    fn addresses_are_asked_for_backwards() {
        let name = |client: &str| String::from_utf8(reversed(client.as_bytes())).unwrap();
        assert_eq!(name("127.0.0.2"), "2.0.0.127.");
        assert_eq!(name("::ffff:192.0.2.99"), "99.2.0.192.");
        assert_eq!(name("2001:db8::5"), "5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.");
        assert_eq!(name(""), "");
        assert_eq!(name("a.b"), "b.a.");
    }
}
