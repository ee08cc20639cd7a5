//! SMTP, both sides.

use crate::cut;
use mta::control::NameSet;
use mta::control::rcpthosts::RcptHosts;
use mta::deliver::remote::body::Encoder;
use mta::deliver::remote::smtp_client::reply::ReplyReader;
use mta::receive::smtpd::data::{BareCarriageReturn, Decoder, Progress};
use mta::receive::smtpd::path::{Argument, ForwardPath, ReversePath};
use mta::receive::smtpd::policy::{BadSenders, OwnLiterals, Policy};
use mta::receive::smtpd::session::{Session, Step};
use mta::receive::smtpd::verbs::Command;
use mta::server::line::LineReader;

/// A session of any bytes: the same replies wherever it is cut, and an envelope without control bytes.
pub fn command(bytes: &[u8]) {
    let (whole, first, second) = cut(bytes);
    assert_eq!(steps(&[whole]), steps(&[first, second]));
}

fn steps(pieces: &[&[u8]]) -> Vec<String> {
    let mut session = Session::new(policy());
    let mut reader = LineReader::default();
    let mut steps = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let (taken, line) = reader.feed(rest);
            assert!(taken > 0, "a reader that takes nothing never ends");
            rest = &rest[taken..];
            let Some(line) = line else { continue };
            let step = session.answer(Command::parse(line)).expect("no rule that has to be read");
            if let Step::Message(envelope) = &step {
                check(envelope.sender.address());
                envelope.recipients.iter().for_each(|recipient| check(recipient.address()));
                assert!(!envelope.recipients.is_empty() && envelope.recipients.len() <= 3);
            }
            steps.push(format!("{step:?}"));
            if matches!(step, Step::Quit | Step::HangUp(_)) {
                return steps;
            }
        }
    }
    steps
}

fn check(address: &[u8]) {
    assert!(!address.iter().any(u8::is_ascii_control), "{}", address.escape_ascii());
    assert!(address.len() < 1100, "{}", address.len());
}

fn policy() -> Policy {
    let names =
        |text: &str| NameSet::new(text.split_whitespace().map(|name| name.as_bytes().to_vec()).collect());
    Policy {
        recipient_hosts: RcptHosts::Listed { hosts: names("example.org .example.net"), more: None },
        relay_client: None,
        bad_senders: BadSenders(names("bad@src.example @bad.example")),
        own_literals: OwnLiterals { host: Some(b"mail.example.org".to_vec()), addresses: Some(Vec::new()) },
        databytes: 1000,
        max_recipients: 3,
        bare_cr: BareCarriageReturn::Refused,
        recipient_check: None,
    }
}

/// An argument of MAIL or RCPT: an address is short enough and without control bytes, or there is none.
pub fn path(bytes: &[u8]) {
    let Ok(argument) = Argument::parse(bytes) else { return };
    let _ = argument.size();
    if let Ok(path) = ReversePath::new(argument.address.clone()) {
        check(path.address());
    }
    if let Ok(path) = ForwardPath::new(argument.address) {
        check(path.address());
    }
}

/// The message after DATA: decoded alike wherever it is cut; what comes out has no CR, and the end is where it is.
pub fn decoder(bytes: &[u8]) {
    let (whole, first, second) = cut(bytes);
    for bare_cr in [BareCarriageReturn::Refused, BareCarriageReturn::Data] {
        let at_once = decode(bare_cr, &[whole]);
        assert_eq!(at_once, decode(bare_cr, &[first, second]));
        let (decoded, consumed, progress) = at_once;
        if progress == Progress::Complete {
            let wire = &whole[..consumed];
            assert!(wire.ends_with(b"\r\n.\r\n") || wire == b".\r\n", "{}", wire.escape_ascii());
            assert!(decoded.is_empty() || decoded.ends_with(b"\n"));
        }
        if bare_cr == BareCarriageReturn::Refused {
            assert!(!decoded.contains(&b'\r'), "{}", decoded.escape_ascii());
        }
    }
}

fn decode(bare_cr: BareCarriageReturn, pieces: &[&[u8]]) -> (Vec<u8>, usize, Progress) {
    let mut decoder = Decoder::new(bare_cr, 0);
    let (mut decoded, mut consumed, mut progress) = (Vec::new(), 0, Progress::More);
    for piece in pieces {
        if progress != Progress::More {
            break;
        }
        let (taken, now) = decoder.feed(piece, &mut decoded);
        consumed += taken;
        progress = now;
    }
    (decoded, consumed, progress)
}

/// S1: what is sent has exactly one end, at its end; CR and LF go out as CR LF only; and what is decoded from it
/// is what went in, with every kind of line break as LF.
pub fn encoder(bytes: &[u8]) {
    let (whole, first, second) = cut(bytes);
    let mut wire = Vec::new();
    let mut encoder = Encoder::default();
    encoder.encode(first, &mut wire);
    encoder.encode(second, &mut wire);
    let is_whole = encoder.finish(&mut wire).is_ok();
    let mut at_once = Vec::new();
    let mut encoder = Encoder::default();
    encoder.encode(whole, &mut at_once);
    assert_eq!(encoder.finish(&mut at_once).is_ok(), is_whole);
    assert_eq!(wire, at_once);
    if !is_whole {
        return;
    }
    for (place, byte) in wire.iter().enumerate() {
        match byte {
            b'\r' => assert_eq!(wire.get(place + 1), Some(&b'\n')),
            b'\n' => assert_eq!(wire[place - 1], b'\r'),
            _ => {}
        }
    }
    let (decoded, consumed, progress) = decode(BareCarriageReturn::Refused, &[&wire]);
    assert_eq!((consumed, progress), (wire.len(), Progress::Complete));
    assert_eq!(decoded, with_plain_line_ends(whole));
}

fn with_plain_line_ends(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut after_cr = false;
    for byte in text {
        match byte {
            b'\n' if after_cr => {}
            b'\r' | b'\n' => plain.push(b'\n'),
            other => plain.push(*other),
        }
        after_cr = *byte == b'\r';
    }
    plain
}

/// Replies of another host: bounded.
pub fn reply(bytes: &[u8]) {
    let mut reader = ReplyReader::default();
    for byte in bytes {
        let Ok(reply) = reader.take(*byte) else { return };
        if let Some(reply) = reply {
            let _ = (reply.code(), reply.meaning(), reply.announces(b"SIZE"), reply.has_word(b"ESMTP"));
            assert!(reply.text().len() <= 64 * 1024);
        }
    }
}
