//! The queue: envelopes, records, reports, orders.

use crate::cut;
use mta::queue::envelope::{EnvelopeDecoder, Record, records};
use mta::queue::layout::MessageNumber;
use mta::queue::queuectl::request::{Answer, Request};
use mta::queue::snapshot::delivery_log::DeliveryLog;
use mta::queue::snapshot::message::{Message, Preprocessed, State};
use mta::send::channel::ByChannel;
use mta::send::delivery::Verdict;
use mta::send::route::Routing;
use mta::send::spawn::report;
use unix::process::Ended;

/// What qmail-queue is given: read alike wherever it is cut; what is taken has no control bytes (S5).
pub fn envelope(bytes: &[u8]) {
    let (whole, first, second) = cut(bytes);
    let at_once = decode(&[whole]);
    assert_eq!(at_once, decode(&[first, second]));
    let Some((taken, true)) = at_once else { return };
    for record in records(&taken) {
        match record {
            Record::Sender(address) | Record::Recipient(address) => {
                assert!(!address.iter().any(u8::is_ascii_control), "{}", address.escape_ascii());
            }
            other => panic!("{other:?}"),
        }
    }
}

fn decode(pieces: &[&[u8]]) -> Option<(Vec<u8>, bool)> {
    let mut decoder = EnvelopeDecoder::new();
    let mut taken = Vec::new();
    for piece in pieces {
        taken.extend_from_slice(decoder.push(piece).ok()?);
    }
    Some((taken, decoder.is_complete()))
}

/// A file of todo, info, local or remote: as many records as NULs at most.
pub fn todo_records(bytes: &[u8]) {
    let most = bytes.iter().filter(|byte| **byte == 0).count();
    assert!(records(bytes).count() <= most + 1);
}

/// What an agent printed, through the spawner to the manager: bounded, and one verdict.
pub fn delivery_report(bytes: &[u8]) {
    let (whole, first, _) = cut(bytes);
    for ended in
        [Ended::Exited(0), Ended::Exited(100), Ended::Exited(111), Ended::Killed { signal: 9, dumped: false }]
    {
        for make in [report::local, report::remote] {
            let report = make(ended, whole);
            let _ = Verdict::decode(&report, first.len() % 2 == 0);
        }
    }
    let _ = Verdict::decode(whole, true);
    let mut kept = whole.to_vec();
    report::bound_local(&mut kept);
    report::bound_remote(&mut kept);
    assert!(kept.len() <= whole.len().max(100_000));
}

/// Lines of qmail-queuectl: what is understood is written as it was read.
pub fn queuectl_request(bytes: &[u8]) {
    if let Some(request) = Request::decode(bytes) {
        assert_eq!(Request::decode(request.encode().trim_end().as_bytes()), Some(request));
    }
    if let Some(answer) = Answer::decode(bytes) {
        assert_eq!(answer.encode().trim_end().as_bytes(), bytes);
    }
}

/// A message of a snapshot: what is understood is written so that it is read again.
pub fn snapshot(bytes: &[u8]) {
    let mut rest = bytes;
    while let Ok(Ok(message)) = Message::decode(&mut rest) {
        assert_eq!(Message::decode(&mut message.encode().as_slice()).ok(), Some(Ok(message)));
    }
}

/// A log: nobody is added who was not waiting, and whoever was waits still or was delivered to.
pub fn delivery_log(bytes: &[u8]) {
    let mut log = DeliveryLog::default();
    log.read(bytes).expect("bytes in memory can be read");
    let channels = ByChannel { local: Some(b"Ta@b\0Da@b\0".to_vec()), remote: Some(b"Tc@d\0".to_vec()) };
    let found = Preprocessed { info: b"Fs@x\0".to_vec(), channels, ..Preprocessed::default() };
    let mut message = Message { number: MessageNumber(7), state: State::Preprocessed(found), size: 70 };
    let before = message.waiting();
    let evidence = log.evidence(&message, b"Received: (qmail 55 invoked by uid 1)");
    let is_left = evidence.apply(&mut message, &Routing::default());
    let after = message.waiting();
    assert!(after.iter().all(|waiting| before.contains(waiting)));
    assert!(is_left || after.is_empty() || bytes.windows(9).any(|part| part == b"end msg 7"));
}
