//! POP3.

use crate::cut;
use mta::retrieve::command::Command;
use mta::retrieve::pop3d::body;
use mta::server::line::LineReader;

/// Command lines.
pub fn command(bytes: &[u8]) {
    let mut reader = LineReader::default();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (taken, line) = reader.feed(rest);
        assert!(taken > 0, "a reader that takes nothing never ends");
        rest = &rest[taken..];
        if let Some(line) = line {
            let _ = Command::parse(line);
        }
    }
}

/// A message as a client gets it: the same however it is read, and one end, at its end.
pub fn body(bytes: &[u8]) {
    let (text, first, _) = cut(bytes);
    for wanted in [None, Some(0), Some(2)] {
        let wire = body::encode_all(text, wanted, usize::MAX);
        assert_eq!(wire, body::encode_all(text, wanted, first.len().max(1)));
        let ends = wire.windows(5).filter(|window| window == b"\r\n.\r\n").count();
        assert!(wire.ends_with(b"\r\n.\r\n") && ends == 1 || wire == b".\r\n", "{}", wire.escape_ascii());
    }
}
