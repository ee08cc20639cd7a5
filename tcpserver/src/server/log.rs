//! The log lines of `tcpserver`. Analysers of logs know them: each wording stands here, and stays.
//!
//! ```text
//! tcpserver: status: 1/40
//! tcpserver: pid 5013 from 192.0.2.1
//! tcpserver: ok 5013 mx.example.org:192.0.2.9:25 client.example:192.0.2.1:info:53479
//! tcpserver: deny 5014 mx.example.org:192.0.2.9:25 :2001:db8::5::40022
//! tcpserver: end 5013 status 256
//! ```
//!
//! What others chose (names, ident) is shown so that it cannot break a line or a field: one line of input never
//! makes a second line of log. Addresses are shown as they are, so IPv6 ones have their colons.

use super::limits::Slots;
use super::options::Verbosity;
use super::peers::Excess;
use crate::environment::{End, Facts};
use std::io;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use unix::descriptor;
use unix::failure;
use unix::process::{Ended, Pid};
use unix::starter::Line;

/// Whether a connection is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Ok,
    Deny,
}

/// Standard error, as much of it as is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Log {
    verbosity: Verbosity,
}

impl Log {
    pub fn new(verbosity: Verbosity) -> Log {
        Log { verbosity }
    }

    /// How many children there are.
    pub fn status(&self, slots: &Slots) {
        self.detail(|| {
            let (used, limit) = slots.numbers();
            format!("status: {used}/{limit}").into_bytes()
        });
    }

    /// A connection has a child, which is to say this.
    pub fn started(&self, peer: IpAddr) -> Option<Line> {
        self.numbered(|| ("pid ", format!(" from {peer}").into_bytes()))
    }

    /// Everything is known about a connection, and it is served or not, which its child is to say.
    pub fn judged(&self, verdict: Verdict, facts: &Facts) -> Option<Line> {
        let verdict = match verdict {
            Verdict::Ok => "ok ",
            Verdict::Deny => "deny ",
        };
        self.numbered(|| (verdict, ends(facts)))
    }

    /// A child ended.
    pub fn ended(&self, pid: Pid, ended: Ended) {
        self.detail(|| format!("end {pid} status {}", ended.wait_status()).into_bytes());
    }

    /// A connection is closed without being served.
    pub fn dropping(&self, why: &[u8]) {
        if let Some(line) = self.drop_line(why) {
            Line::plain(line).say();
        }
    }

    /// The line for that, which a child is to say, perhaps with a reason after it.
    pub fn drop_line(&self, why: &[u8]) -> Option<Vec<u8>> {
        let line = || [b"tcpserver: warning: dropping connection, ", why].concat();
        (self.verbosity != Verbosity::Silent).then(line)
    }

    /// A connection is closed because its peer has enough of them.
    pub fn too_many(&self, peer: IpAddr, excess: Excess) {
        let what = match excess {
            Excess::Address => "too many connections from",
            Excess::Network => "too many connections from the network of",
            Excess::Second => "too many new connections from",
        };
        self.dropping(format!("{what} {peer}").as_bytes());
    }

    /// The rules are not those that their source says.
    pub fn stale(&self, source: &Path) {
        let source = source.as_os_str().as_bytes();
        self.line(|| {
            [b"warning: rules are older than ", source, b", which tcprules has not compiled"].concat()
        });
    }

    /// Something failed that is tried again.
    pub fn warning(&self, what: &str, error: &io::Error) {
        self.line(|| [&b"warning: "[..], &failure::because(what, error)].concat());
    }

    fn detail(&self, text: impl FnOnce() -> Vec<u8>) {
        if self.verbosity == Verbosity::All {
            self.line(text);
        }
    }

    /// A line with the number of the child that says it between two texts.
    fn numbered(&self, parts: impl FnOnce() -> (&'static str, Vec<u8>)) -> Option<Line> {
        (self.verbosity == Verbosity::All).then(|| {
            let (before, after) = parts();
            Line { before: [b"tcpserver: ", before.as_bytes()].concat(), after: Some(after) }
        })
    }

    fn line(&self, text: impl FnOnce() -> Vec<u8>) {
        if self.verbosity != Verbosity::Silent {
            descriptor::write_error_line(&[b"tcpserver: ", &text()]);
        }
    }
}

/// Both ends of a connection, after the number of its child.
fn ends(facts: &Facts) -> Vec<u8> {
    let End { address: local, host: local_host } = &facts.local;
    let End { address: remote, host: remote_host } = &facts.remote;
    [
        b" ",
        field(local_host.as_deref()).as_slice(),
        format!(":{}:{} ", local.ip(), local.port()).as_bytes(),
        &field(remote_host.as_deref()),
        format!(":{}:", remote.ip()).as_bytes(),
        &field(facts.info.as_deref()),
        format!(":{}", remote.port()).as_bytes(),
    ]
    .concat()
}

/// A value that others chose, as it may stand between colons.
fn field(value: Option<&[u8]>) -> Vec<u8> {
    let value = value.unwrap_or_default();
    let shown = value.iter().take(FIELD_LIMIT).map(|byte| match byte {
        b'%' | b':' => b'?',
        b'!'..=b'~' => *byte,
        _ => b'?',
    });
    let mut field: Vec<u8> = shown.collect();
    if value.len() > FIELD_LIMIT {
        field.extend_from_slice(b"...");
    }
    field
}

/// How many bytes of a name or ident are shown.
const FIELD_LIMIT: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: &[u8]) -> String {
        String::from_utf8(field(Some(value))).unwrap()
    }

    #[test]
    fn fields_cannot_break_the_line_or_another_field() {
        assert_eq!(shown(b"a b:c%d\n\x7f\xff~!"), "a?b?c?d???~!");
        assert_eq!(shown(&[b'a'; 100]), "a".repeat(100));
        assert_eq!(shown(&[b'a'; 101]), "a".repeat(100) + "...");
        assert_eq!(field(None), b"");
    }

    #[test]
    fn a_verdict_shows_both_ends() {
        let facts = Facts {
            local: End { address: "192.0.2.9:25".parse().unwrap(), host: Some(b"mx.example".to_vec()) },
            remote: End { address: "[2001:db8::5]:40022".parse().unwrap(), host: None },
            info: Some(b"joe".to_vec()),
        };
        let line = Log::new(Verbosity::All).judged(Verdict::Deny, &facts).unwrap();
        assert_eq!(line.before, b"tcpserver: deny ");
        assert_eq!(line.after.unwrap(), b" mx.example:192.0.2.9:25 :2001:db8::5:joe:40022");
        assert!(Log::new(Verbosity::Errors).judged(Verdict::Deny, &facts).is_none());
    }
}
