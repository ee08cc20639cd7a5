//! `tcprulescheck` shows which rule `tcpserver` would follow for a peer, and what it says.
//!
//! Called  `tcprulescheck rules.cdb`.
//! Reads    the database; TCPREMOTEIP (or 0.0.0.0), TCPREMOTEHOST and TCPREMOTEINFO.      Writes  fd 1.
//! Runs as  anybody.   Trusts  nobody.
//! Exits    0 whatever the rule says · 100 called wrongly · 111 the database cannot be read.
//! Manual   tcprulescheck(8).

use crate::rules::ipv6;
use crate::rules::lookup::{self, Found, Instruction, Peer};
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use unix::cdb::Reader;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::{descriptor, environment, file};

/// Runs the program.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let [database, ..] = invocation.arguments.as_slice() else {
        return Err(Failure::usage("tcprulescheck rules.cdb"));
    };
    let ip = environment::get("TCPREMOTEIP").unwrap_or_else(|| b"0.0.0.0".to_vec());
    let ip = ipv6::canonical(&ip).unwrap_or(ip);
    let host = environment::get("TCPREMOTEHOST");
    let info = environment::get("TCPREMOTEINFO");
    let peer = Peer { ip: &ip, host: host.as_deref(), info: info.as_deref() };
    let found = find(database, peer)
        .map_err(|error| Failure::temporary([&b"unable to read "[..], database].concat()).because(&error))?;
    descriptor::output()
        .write_all(&report(found))
        .map_err(|error| Failure::temporary("unable to write output").because(&error))?;
    Ok(Exit::SUCCESS)
}

fn find(database: &[u8], peer: Peer<'_>) -> io::Result<Option<Found>> {
    let file = file::open_read(Path::new(OsStr::from_bytes(database)))?;
    lookup::find(&Reader::new(file)?, peer)
}

fn report(found: Option<Found>) -> Vec<u8> {
    let Some(found) = found else { return b"default:\nallow connection\n".to_vec() };
    let mut text = [b"rule ", found.key.as_slice(), b":\n"].concat();
    for instruction in found.instructions {
        match instruction {
            Instruction::Set { name, value } => {
                for part in [&b"set environment variable "[..], &name, b"=", &value, b"\n"] {
                    text.extend_from_slice(part);
                }
            }
            Instruction::Deny => {
                text.extend_from_slice(b"deny connection\n");
                return text;
            }
        }
    }
    text.extend_from_slice(b"allow connection\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_ends_the_report() {
        let set = Instruction::Set { name: b"A".into(), value: b"b".into() };
        let found = Found { key: b"1.".into(), instructions: vec![Instruction::Deny, set.clone()] };
        assert_eq!(report(Some(found)), b"rule 1.:\ndeny connection\n");
        let found = Found { key: b"".into(), instructions: vec![set] };
        assert_eq!(report(Some(found)), b"rule :\nset environment variable A=b\nallow connection\n");
        assert_eq!(report(None), b"default:\nallow connection\n");
    }
}
