//! Access rules: their text, and their database.

use crate::file_of;
use tcpserver::rules::lookup::{Peer, find};
use tcpserver::rules::syntax::{self, Line};
use unix::cdb::{Builder, Reader};

/// Rules: what compiles can be asked about any peer.
pub fn text(bytes: &[u8]) {
    let mut database = Builder::in_memory();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Ok(Line::Rule(rule)) = syntax::parse(syntax::trim_end(line)) else { continue };
        if let Some(block) = rule.block() {
            let _ = (block.key(), block.length(), block.lengths_key());
        }
        let mut keys = 0;
        let added = rule.each_key(|key| {
            keys += 1;
            if keys < 1000 { database.add(key, b"D") } else { Ok(()) }
        });
        added.expect("room for a key");
    }
    ask(database.finish().expect("a small database").get_ref());
}

/// M5: any bytes as a database of rules.
pub fn cdb(bytes: &[u8]) {
    ask(bytes);
}

fn ask(database: &[u8]) {
    let Ok(rules) = Reader::new(file_of(database)) else { return };
    for ip in [&b"127.0.0.1"[..], b"2001:db8::1", b"", b"\xff"] {
        let _ = find(&rules, Peer { ip, host: Some(b"a.example.org"), info: Some(b"joe") });
    }
}
