//! DNS: addresses, mail exchangers, names and texts. The one place of the suite that talks to hickory.
//!
//! Lookups block, for programs with one thread. Each asks the servers in their order, at most twice, and has
//! one deadline for all that it does, aliases included. Names are asked for as they are given: no search list,
//! no conversion of international names, and underscores are fine. `/etc/hosts` is not consulted; the name
//! `localhost` and addresses in figures are known without asking.
//!
//! Only the sending of queries and the coding of messages are hickory's. Its resolver proper stays unused: it
//! takes the first server's failure for the answer, answers for 127.0.0.1 by itself, and keeps a cache that a
//! process with one lookup has no use for.

mod answer;
mod name;
mod servers;

use answer::Step;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{DnsRequestOptions, Message, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use unix::failure;

/// Why a lookup gave nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The name does not exist, or has no record of the type. Asking again will not help.
    Absent,
    /// Anything else, in words for a log: no server answered, one failed, or an answer made no sense.
    Temporary(String),
}

/// A mail exchanger of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchanger {
    /// Smaller numbers come first.
    pub preference: u16,
    /// Its name; `.` says that the domain takes no mail (RFC 7505).
    pub host: Vec<u8>,
}

/// A way to ask the DNS servers of this machine.
pub struct Resolver {
    runtime: Runtime,
    servers: Servers,
    deadline: Duration,
}

impl Resolver {
    /// Asks the servers in `$DNSCACHEIP`, else those in `/etc/resolv.conf`, else 127.0.0.1.
    ///
    /// `$DNSCACHEIP` has addresses, with `:port` if it is not 53, separated by commas or blanks;
    /// `a.b.c.d.e.f.g.h` is two addresses, as it always was.
    pub fn from_system() -> Result<Resolver, Trouble> {
        Resolver::new(&servers::of_system().map_err(|error| temporary(failure::describe(&error)))?)
    }

    /// Asks these servers.
    pub fn new(servers: &[SocketAddr]) -> Result<Resolver, Trouble> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| temporary(failure::describe(&error)))?;
        Ok(Resolver { runtime, servers: Servers::new(servers)?, deadline: DEADLINE })
    }

    /// Gives up on a lookup after this time instead of 30 seconds.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Resolver {
        Resolver { deadline, ..self }
    }

    /// The IPv4 addresses of a name, then its IPv6 addresses, each in the server's order.
    ///
    /// If one kind is found, trouble with the other is passed over.
    pub fn addresses(&self, name: &[u8]) -> Result<Vec<IpAddr>, Trouble> {
        if let Some(known) = known_addresses(name) {
            return if known.is_empty() { Err(Trouble::Absent) } else { Ok(known) };
        }
        let name = name::parse(name)?;
        let (four, six) = self.runtime.block_on(async {
            // The second lookup runs while this one waits.
            let six =
                tokio::spawn(self.servers.clone().within(self.deadline, name.clone(), RecordType::AAAA));
            let four = self.servers.clone().within(self.deadline, name, RecordType::A).await;
            (four, six.await.unwrap_or_else(|_| Err(temporary("lookup interrupted"))))
        });
        either(four.map(addresses_in), six.map(addresses_in))
    }

    /// The mail exchangers of a name in the server's order, 10,000 at most.
    pub fn exchangers(&self, name: &[u8]) -> Result<Vec<Exchanger>, Trouble> {
        let records = self.lookup(name::parse(name)?, RecordType::MX)?;
        let exchangers = records.into_iter().filter_map(|data| match data {
            RData::MX(mx) => Some(Exchanger { preference: mx.preference, host: name::to_text(&mx.exchange) }),
            _ => None,
        });
        Ok(exchangers.take(RECORD_LIMIT).collect())
    }

    /// The names of an address.
    pub fn names(&self, address: IpAddr) -> Result<Vec<Vec<u8>>, Trouble> {
        let records = self.lookup(Name::from(address), RecordType::PTR)?;
        let names = records.into_iter().filter_map(|data| match data {
            RData::PTR(target) => Some(name::to_text(&target.0)),
            _ => None,
        });
        Ok(names.take(RECORD_LIMIT).collect())
    }

    /// The name of an address as programs are told it: the first one, or none if there is any trouble.
    pub fn first_name(&self, address: IpAddr) -> Option<Vec<u8>> {
        let name = self.names(address).ok()?.into_iter().next()?;
        (name != b".").then_some(name)
    }

    /// The IPv4 addresses of a name, and nothing else.
    pub fn ipv4_addresses(&self, name: &[u8]) -> Result<Vec<IpAddr>, Trouble> {
        Ok(addresses_in(self.lookup(name::parse(name)?, RecordType::A)?))
    }

    /// The texts of a name; the strings that one record is cut into are joined.
    pub fn texts(&self, name: &[u8]) -> Result<Vec<Vec<u8>>, Trouble> {
        let records = self.lookup(name::parse(name)?, RecordType::TXT)?;
        let texts = records.into_iter().filter_map(|data| match data {
            RData::TXT(text) => Some(text.txt_data.concat()),
            _ => None,
        });
        Ok(texts.take(RECORD_LIMIT).collect())
    }

    fn lookup(&self, name: Name, kind: RecordType) -> Result<Vec<RData>, Trouble> {
        self.runtime.block_on(self.servers.clone().within(self.deadline, name, kind))
    }
}

/// The addresses of `localhost` and of text that is addresses in figures, such as `192.0.2.1` and `[2001:db8::1]`.
///
/// `None`: the DNS has to be asked. `Some` of nothing: the text looks like addresses and is none.
pub fn known_addresses(name: &[u8]) -> Option<Vec<IpAddr>> {
    name::without_asking(name)
}

/// Any records are the answer; without any, "try again" is the safer of two answers.
fn either(
    one: Result<Vec<IpAddr>, Trouble>,
    other: Result<Vec<IpAddr>, Trouble>,
) -> Result<Vec<IpAddr>, Trouble> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok([one, other].concat()),
        (Ok(found), Err(_)) | (Err(_), Ok(found)) => Ok(found),
        (Err(Trouble::Absent), Err(trouble)) | (Err(trouble), Err(_)) => Err(trouble),
    }
}

fn addresses_in(records: Vec<RData>) -> Vec<IpAddr> {
    let addresses = records.into_iter().filter_map(|data| match data {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0)),
        _ => None,
    });
    addresses.take(RECORD_LIMIT).collect()
}

/// The servers, in the order in which they are asked.
#[derive(Clone)]
struct Servers(Vec<NameServerPool<TokioRuntimeProvider>>);

impl Servers {
    fn new(addresses: &[SocketAddr]) -> Result<Servers, Trouble> {
        let mut options = ResolverOpts::default();
        // Our own time for each try is shorter, so that this one never decides.
        options.timeout = DEADLINE;
        let mut pools = Vec::with_capacity(addresses.len());
        for address in addresses {
            let tls = TlsConfig::new().map_err(|error| temporary(error.to_string()))?;
            let context = Arc::new(PoolContext::new(options.clone(), tls));
            let provider = TokioRuntimeProvider::default();
            pools.push(NameServerPool::from_config([server_config(*address)], context, provider));
        }
        Ok(Servers(pools))
    }

    async fn within(self, deadline: Duration, name: Name, kind: RecordType) -> Result<Vec<RData>, Trouble> {
        let answer = tokio::time::timeout(deadline, self.follow(name, kind)).await;
        answer.unwrap_or_else(|_| Err(temporary(TIMED_OUT)))
    }

    /// Looks a name up, and what it is an alias of, and so on.
    async fn follow(self, mut name: Name, kind: RecordType) -> Result<Vec<RData>, Trouble> {
        for _ in 0..ALIAS_LIMIT {
            match self.ask(&name, kind).await? {
                Step::Found(records) => return Ok(records),
                Step::Absent => return Err(Trouble::Absent),
                Step::Alias(target) => name = target,
            }
        }
        Err(temporary("too many aliases"))
    }

    /// One query: each server in turn until one gives an answer, with more patience in the second round.
    async fn ask(&self, name: &Name, kind: RecordType) -> Result<Step, Trouble> {
        let mut trouble = temporary("no DNS server");
        for patience in PATIENCE {
            for server in &self.0 {
                match tokio::time::timeout(patience, query(server, name, kind)).await {
                    Ok(Err(failed @ Trouble::Temporary(_))) => trouble = failed,
                    Ok(answered) => return answered,
                    Err(_) => trouble = temporary(TIMED_OUT),
                }
            }
        }
        Err(trouble)
    }
}

fn server_config(address: SocketAddr) -> NameServerConfig {
    let (mut udp, mut tcp) = (ConnectionConfig::udp(), ConnectionConfig::tcp());
    udp.port = address.port();
    tcp.port = address.port();
    NameServerConfig::new(address.ip(), true, vec![udp, tcp])
}

async fn query(
    server: &NameServerPool<TokioRuntimeProvider>,
    name: &Name,
    kind: RecordType,
) -> Result<Step, Trouble> {
    let mut options = DnsRequestOptions::default();
    options.use_edns = true;
    let response = server.lookup(Query::query(name.clone(), kind), options).first_answer().await;
    match response {
        Ok(message) => meaning(&message, name, kind),
        Err(NetError::Dns(DnsError::NoRecordsFound(_))) => Ok(Step::Absent),
        Err(NetError::Dns(DnsError::ResponseCode(code))) => {
            Err(temporary(format!("the DNS server answered: {code}")))
        }
        Err(NetError::Timeout) => Err(temporary(TIMED_OUT)),
        Err(NetError::Io(error)) => Err(temporary(failure::describe(&error))),
        Err(other) => Err(temporary(other.to_string())),
    }
}

/// What a reply means for the name that was asked for.
fn meaning(reply: &Message, name: &Name, kind: RecordType) -> Result<Step, Trouble> {
    match reply.response_code {
        ResponseCode::NXDomain => Ok(answer::last_word(&reply.answers, name, kind)),
        ResponseCode::NoError => answer::read(&reply.answers, name, kind),
        code => Err(temporary(format!("the DNS server answered: {code}"))),
    }
}

/// The IPv4 addresses that a reply gives for a name, the reply being the bytes of one datagram (RFC 1035 §4).
///
/// This is what a lookup does with what it receives, for those who have bytes and no server.
pub fn addresses_in_reply(reply: &[u8], name: &[u8]) -> Result<Vec<IpAddr>, Trouble> {
    let reply = Message::from_vec(reply).map_err(|error| temporary(error.to_string()))?;
    match meaning(&reply, &name::parse(name)?, RecordType::A)? {
        Step::Found(records) => Ok(addresses_in(records)),
        Step::Absent | Step::Alias(_) => Err(Trouble::Absent),
    }
}

fn temporary(why: impl Into<String>) -> Trouble {
    Trouble::Temporary(why.into())
}

/// How long a whole lookup may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// How long one server has for one query, in the first round and in the second.
const PATIENCE: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(11)];
/// How many aliases lead from one name to the next.
const ALIAS_LIMIT: usize = 16;
/// How many records of an answer are read.
const RECORD_LIMIT: usize = 10_000;
const TIMED_OUT: &str = "timed out";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_one_kind_are_an_answer_and_trying_again_is_safer_than_absent() {
        let found = vec![IpAddr::from([192, 0, 2, 1])];
        let failed = || Err(temporary("timed out"));
        assert_eq!(either(Ok(found.clone()), failed()), Ok(found.clone()));
        assert_eq!(either(Err(Trouble::Absent), Ok(found.clone())), Ok(found));
        assert_eq!(either(Err(Trouble::Absent), failed()), failed());
        assert_eq!(either(failed(), Err(Trouble::Absent)), failed());
        assert_eq!(either(Err(Trouble::Absent), Err(Trouble::Absent)), Err(Trouble::Absent));
    }

    const NAME: &[u8] = b"mail.example.org";

    /// A reply to the question for [`NAME`]'s IPv4 addresses that says it has so many records, and these bytes of them.
    fn reply(count: u16, records: &[u8]) -> Vec<u8> {
        let question = b"\x04mail\x07example\x03org\0\0\x01\0\x01";
        let header = [&b"\0\x01\x81\x80\0\x01"[..], &count.to_be_bytes(), b"\0\0\0\0"].concat();
        [&header, &question[..], records].concat()
    }

    const ADDRESS: &[u8] = b"\xc0\x0c\0\x01\0\x01\0\0\x0e\x10\0\x04\xc0\0\x02\x01";

    /// M4: a reply that is cut anywhere says nothing, least of all that there is no such name.
    #[test]
    fn m4_a_reply_that_is_cut_anywhere_is_temporary_trouble() {
        let whole = reply(2, &ADDRESS.repeat(2));
        assert_eq!(addresses_in_reply(&whole, NAME), Ok(vec![IpAddr::from([192, 0, 2, 1]); 2]));
        for length in 0..whole.len() {
            let cut = addresses_in_reply(&whole[..length], NAME);
            assert!(matches!(cut, Err(Trouble::Temporary(_))), "{length}: {cut:?}");
        }
    }

    /// M4: a name that points into itself, at its own pointer, or forward.
    #[test]
    fn m4_names_compressed_in_a_circle_are_temporary_trouble() {
        let start = u8::try_from(reply(1, b"").len()).unwrap();
        for target in [start, start + 2, start + 12, 0xff] {
            for owner in [vec![0xc0, target], vec![1, b'a', 0xc0, target]] {
                let record = [&owner, &ADDRESS[2..]].concat();
                let found = addresses_in_reply(&reply(1, &record), NAME);
                assert!(matches!(found, Err(Trouble::Temporary(_))), "{target}: {found:?}");
            }
        }
        let alias = [b"\xc0\x0c\0\x05\0\x01\0\0\0\0\0\x02\xc0", &[start + 12][..]].concat();
        assert!(matches!(addresses_in_reply(&reply(1, &alias), NAME), Err(Trouble::Temporary(_))));
    }

    /// M4: of more records than anybody needs, 10,000 are read.
    #[test]
    fn m4_very_many_records_are_read_to_a_limit() {
        for count in [10_000, 10_001, 60_000] {
            let found = addresses_in_reply(&reply(count, &ADDRESS.repeat(count.into())), NAME);
            assert_eq!(found.map(|addresses| addresses.len()), Ok(10_000));
        }
    }

    #[test]
    fn a_lookup_without_an_answer_is_temporary() {
        // Bound and never read: queries go unanswered.
        let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let resolver = Resolver::new(&[silent.local_addr().unwrap()]).unwrap();
        let resolver = resolver.with_deadline(Duration::from_millis(50));
        assert_eq!(resolver.texts(b"example.org"), Err(temporary(TIMED_OUT)));
    }
}
