//! QMTP and QMQP.

use crate::cut;
use mta::queue::qmqpc::answer::AnswerReader;
use mta::queue::qmqpc::server;
use mta::receive::{netstring, qmqpd, qmtpd};

/// Netstrings: what is understood is written back as it was, up to zeros at the start of a length.
pub fn netstring(bytes: &[u8]) {
    let Ok((strings, _)) = netstring::decode_all(bytes) else { return };
    let written: Vec<u8> = strings
        .iter()
        .flat_map(|string| [&netstring::prefix(string.len() as u64)[..], string, b","].concat())
        .collect();
    assert_eq!(netstring::decode_all(&written).map(|(again, _)| again), Ok(strings));
}

/// The requests of a QMTP connection: understood alike in pieces of any size.
pub fn qmtp_request(bytes: &[u8]) {
    let (whole, first, _) = cut(bytes);
    let at_once = qmtpd::request::decode_all(whole, usize::MAX);
    assert_eq!(at_once, qmtpd::request::decode_all(whole, first.len().max(1)));
    assert!(at_once.0.len() <= whole.len());
}

/// The request of a QMQP connection, likewise.
pub fn qmqp_request(bytes: &[u8]) {
    let (whole, first, _) = cut(bytes);
    let at_once = qmqpd::request::decode_all(whole, usize::MAX);
    assert_eq!(at_once, qmqpd::request::decode_all(whole, first.len().max(1)));
    assert!(at_once.0.len() <= whole.len());
}

/// What a QMQP server answers, and the names of servers: success only for a whole netstring that begins with K.
pub fn qmqp_answer(bytes: &[u8]) {
    let (whole, first, second) = cut(bytes);
    let read = |pieces: &[&[u8]]| {
        let mut reader = AnswerReader::default();
        pieces.iter().find_map(|piece| reader.feed(piece)).map(|answer| answer.is_ok())
    };
    let answer = read(&[whole]);
    assert_eq!(answer, read(&[first, second]));
    if answer == Some(true) {
        assert!(whole.iter().skip_while(|byte| byte.is_ascii_digit()).take(2).eq(b":K"));
    }
    let _ = server::parse(whole);
}
