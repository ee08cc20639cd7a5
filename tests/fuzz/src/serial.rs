//! What the hosts at the other end of serialmail's connections reply, and what its clients report.

use crate::cut;
use mta::serial::protocol::{Decoder, Report};
use mta::serial::qmtp::Replies;
use mta::serial::smtp::ReplyReader;

/// Reports to maildirserial: one line each, and the same again once they were written anew.
pub fn report(bytes: &[u8]) {
    let read = |bytes: &[u8]| -> Vec<Report> {
        let mut decoder = Decoder::default();
        bytes.iter().filter_map(|byte| decoder.feed(*byte)).collect()
    };
    let reports = read(bytes);
    for report in &reports {
        assert!(!report.name.contains(&0) && !report.text.contains(&b'\n'));
    }
    let written: Vec<u8> = reports.iter().flat_map(Report::encode).collect();
    let again = read(&written);
    assert_eq!(again.len(), reports.len());
    assert!(
        again.iter().zip(&reports).all(|(one, other)| one.name == other.name && one.status == other.status)
    );
}

/// Replies to serialsmtp: a code of three figures, and a line that is none but the last.
pub fn smtp_reply(bytes: &[u8]) {
    let mut reader = ReplyReader::default();
    for byte in bytes {
        match reader.feed(*byte) {
            Ok(Some(reply)) => {
                assert!(reply.code < 1000);
                assert!(!reply.last_line.contains(&b'\n') && reply.last_line.get(3) != Some(&b'-'));
            }
            Ok(None) => {}
            Err(_) => return,
        }
    }
}

/// Replies to serialqmtp: the same wherever they are cut.
pub fn qmtp_reply(bytes: &[u8]) {
    let (whole, first, second) = cut(bytes);
    let read = |pieces: &[&[u8]]| {
        let (mut replies, mut found) = (Replies::default(), Vec::new());
        let result = pieces.iter().try_for_each(|piece| replies.feed(piece, &mut found));
        (found, result)
    };
    assert_eq!(read(&[whole]), read(&[first, second]));
}
