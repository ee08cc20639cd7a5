//! Programs that make one lookup and print what it gives, a line each: `dnsip`, `dnsptr`, `dnsmxip`, `dnsfq`,
//! `ipmeprint` and `hostname`. They show what the other programs see.
//!
//! Reads    their argument; the DNS.   Writes  fd 1: the answer.
//! Runs as  anybody.                   Trusts  nobody: names are printed as DNS writes them, without control bytes.
//! Exits    0 · 100 there is nothing, or called wrongly · 111 it cannot be found out now.
//! Manual   dnsip(8), dnsptr(8), dnsmxip(8), dnsfq(8), ipmeprint(8), hostname(8).

use crate::dns::{self, Exchanger, Resolver, Trouble};
use std::io::{self, Write};
use std::net::IpAddr;
use unix::failure::{self, Failure};
use unix::program::{Exit, Invocation};
use unix::{descriptor, host, interface};

/// `dnsip NAME`: the addresses of a name.
pub fn dnsip(invocation: &Invocation) -> Result<Exit, Failure> {
    let name = operand(invocation, "dnsip name")?;
    let addresses = addresses(&resolver()?, name)?;
    print(addresses.iter().map(|address| address.to_string().into_bytes()))
}

/// `dnsptr ADDRESS`: the name of an address, the first one.
pub fn dnsptr(invocation: &Invocation) -> Result<Exit, Failure> {
    const USAGE: &str = "dnsptr address";
    let text = operand(invocation, USAGE)?;
    let known = dns::known_addresses(text).and_then(|addresses| addresses.into_iter().next());
    let address = known.ok_or(Failure::usage(USAGE))?;
    print(names(&resolver()?, address)?.into_iter().take(1))
}

/// `dnsmxip NAME`: the addresses of a name's mail exchangers, each with its preference, smallest first; of the
/// name itself, with preference 0, if it has no exchanger.
pub fn dnsmxip(invocation: &Invocation) -> Result<Exit, Failure> {
    let name = operand(invocation, "dnsmxip name")?;
    let resolver = resolver()?;
    let mut exchangers = match exchangers(&resolver, name) {
        Ok(exchangers) if !exchangers.is_empty() => exchangers,
        Ok(_) | Err(Trouble::Absent) => vec![Exchanger { preference: 0, host: name.to_vec() }],
        Err(trouble) => return Err(failed(trouble)),
    };
    exchangers.sort_by_key(|exchanger| exchanger.preference);
    let (mut lines, mut trouble) = (Vec::new(), Trouble::Absent);
    for Exchanger { preference, host } in exchangers.into_iter().take(EXCHANGER_LIMIT) {
        match addresses_of(&resolver, &host) {
            Ok(found) => lines.extend(found.iter().map(|ip| format!("{ip} {preference}").into_bytes())),
            Err(Trouble::Absent) => {}
            Err(temporary) => trouble = temporary,
        }
    }
    if lines.is_empty() { Err(failed(trouble)) } else { print(lines) }
}

/// `dnsfq NAME`: the whole name of a host, as the name of its first address has it.
pub fn dnsfq(invocation: &Invocation) -> Result<Exit, Failure> {
    let name = operand(invocation, "dnsfq name")?;
    let resolver = resolver()?;
    let address = addresses(&resolver, name)?.into_iter().next().ok_or_else(|| failed(Trouble::Absent))?;
    print(names(&resolver, address)?.into_iter().take(1))
}

/// `ipmeprint`: the addresses of this machine, which qmail-remote takes for its own.
pub fn ipmeprint(_: &Invocation) -> Result<Exit, Failure> {
    let unable = |error: io::Error| Failure::temporary("unable to find the interfaces").because(&error);
    print(interface::addresses().map_err(unable)?.iter().map(|address| address.to_string().into_bytes()))
}

/// `hostname`: what the kernel says this machine is called.
pub fn hostname(_: &Invocation) -> Result<Exit, Failure> {
    let unable = |error: io::Error| Failure::temporary("unable to find the name").because(&error);
    print([host::name().map_err(unable)?])
}

fn operand<'a>(invocation: &'a Invocation, usage: &'static str) -> Result<&'a [u8], Failure> {
    match invocation.arguments.as_slice() {
        [operand] => Ok(operand),
        _ => Err(Failure::usage(usage)),
    }
}

fn resolver() -> Result<Resolver, Failure> {
    Resolver::from_system().map_err(failed)
}

fn addresses(resolver: &Resolver, name: &[u8]) -> Result<Vec<IpAddr>, Failure> {
    addresses_of(resolver, name).map_err(failed)
}

/// The addresses of a name or of text that is one in figures; never none.
fn addresses_of(resolver: &Resolver, name: &[u8]) -> Result<Vec<IpAddr>, Trouble> {
    let found = resolver.addresses(name)?;
    if found.is_empty() { Err(Trouble::Absent) } else { Ok(found) }
}

/// An address in figures has no exchangers.
fn exchangers(resolver: &Resolver, name: &[u8]) -> Result<Vec<Exchanger>, Trouble> {
    if dns::known_addresses(name).is_some() { Ok(Vec::new()) } else { resolver.exchangers(name) }
}

fn names(resolver: &Resolver, address: IpAddr) -> Result<Vec<Vec<u8>>, Failure> {
    let found = resolver.names(address).map_err(failed)?;
    if found.is_empty() { Err(failed(Trouble::Absent)) } else { Ok(found) }
}

fn failed(trouble: Trouble) -> Failure {
    match trouble {
        Trouble::Absent => Failure::verbatim(Exit::PERMANENT, "hard error"),
        Trouble::Temporary(why) => Failure::verbatim(Exit::TEMPORARY, format!("soft error: {why}")),
    }
}

fn print(lines: impl IntoIterator<Item = Vec<u8>>) -> Result<Exit, Failure> {
    let text: Vec<u8> = lines.into_iter().flat_map(|line| [line, b"\n".to_vec()].concat()).collect();
    let unable = |error| Failure::temporary(failure::because("unable to write", &error));
    descriptor::output().write_all(&text).map_err(unable)?;
    Ok(Exit::SUCCESS)
}

/// How many exchangers are looked up.
const EXCHANGER_LIMIT: usize = 64;
