//! Failed recipients: their record in `bounce/N`, and the message that tells the sender of them.
//!
//! The wording is QSBMF, which mailing list managers and other bounce parsers read. With `control/bouncedsn` it
//! is the first part of a report in the form of RFC 3464; see `bounce_parts`.

use super::bounce_parts::Parts;
use super::log::Log;
use super::settings::Settings;
use crate::message::{date, quote};
use crate::queue::client::Submission;
use crate::queue::enqueue_error::Class;
use crate::queue::envelope::DOUBLE_BOUNCE_SENDER;
use crate::queue::layout::{Kind, MessageNumber};
use crate::setup::home::Home;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use unix::stamp::Stamp;
use unix::{failure, file};

/// Appends the record of one failed recipient and waits until it is on disk.
///
/// Only after that may the recipient be marked done: a crash in between makes a second attempt, not a
/// recipient of whom nobody hears.
pub fn append(message: MessageNumber, recipient: &[u8], report: &[u8]) -> io::Result<()> {
    append_records(message, &record(recipient, report))
}

/// The same for several records at once, so that all of them wait for the disk together.
pub fn append_records(message: MessageNumber, records: &[u8]) -> io::Result<()> {
    let directory = file::open_directory(Path::new(Kind::Bounce.directory()))?;
    let mut bounce = file::open_append(&Kind::Bounce.path(message))?;
    let length = bounce.metadata()?.len();
    let written = bounce
        .write_all(records)
        .and_then(|()| file::sync_together(&[&bounce, &directory]).into_iter().collect());
    if written.is_err() {
        // The recipient will be tried again, and must not be named if that succeeds.
        let _ = bounce.set_len(length);
    }
    written
}

/// `<recipient>:`, the report, and an empty line. No other line of it is empty, so records stay apart.
pub fn record(recipient: &[u8], report: &[u8]) -> Vec<u8> {
    let mut text = vec![b'<'];
    text.extend(recipient.iter().map(|byte| if *byte == b'\n' { b'_' } else { *byte }));
    text.extend_from_slice(b">:\n");
    text.extend(report.iter().map(|byte| if is_control(*byte) { b'?' } else { *byte }));
    if !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    let mut after_line_end = false;
    let last = text.len().saturating_sub(1);
    for byte in text.iter_mut().take(last) {
        let is_line_end = *byte == b'\n';
        if after_line_end && is_line_end {
            *byte = b'/';
        }
        after_line_end = is_line_end;
    }
    text.push(b'\n');
    text
}

/// What a terminal could take for a command. Bytes above 127 are text in some character set.
fn is_control(byte: u8) -> bool {
    byte.is_ascii_control() && !matches!(byte, b'\n' | b'\t')
}

/// What a failed message calls for, as follows from its envelope sender.
#[derive(Debug, PartialEq, Eq)]
enum Notice {
    /// Tell the sender.
    Bounce,
    /// The sender was empty: the message was itself a bounce. Tell the postmaster.
    DoubleBounce,
    /// The postmaster had been told already.
    Discard,
}

impl Notice {
    fn for_sender(sender: &[u8]) -> Notice {
        match sender {
            DOUBLE_BOUNCE_SENDER => Notice::Discard,
            b"" => Notice::DoubleBounce,
            _ => Notice::Bounce,
        }
    }
}

/// The address behind a VERP sender: `list-@host-@[]` is `list-@host`, and `-@[]` is empty.
fn owner_of(sender: &[u8]) -> &[u8] {
    if sender == DOUBLE_BOUNCE_SENDER { sender } else { sender.strip_suffix(b"-@[]").unwrap_or(sender) }
}

/// Tells the sender of a finished message of the recipients that failed, if any did. `before_fork` is called before a process is
/// made for that.
///
/// False if that has to be tried again later.
pub fn send(
    message: MessageNumber,
    sender: &[u8],
    home: &Home,
    settings: &Settings,
    before_fork: impl FnOnce(),
    log: &mut Log,
) -> bool {
    let path = Kind::Bounce.path(message);
    match fs::metadata(&path) {
        Err(error) if failure::is_absent(&error) => return true,
        Err(_) => {
            log.warning(format!("unable to stat {}", path.display()));
            return false;
        }
        Ok(_) => {}
    }
    let sender = owner_of(sender);
    let notice = Notice::for_sender(sender);
    if notice == Notice::Discard {
        log.triple_bounce(message);
    } else {
        before_fork();
        if !inject(message, sender, &notice, home, settings, log) {
            return false;
        }
    }
    let removed = fs::remove_file(&path).is_ok();
    if !removed {
        log.warning(format!("unable to unlink {}", path.display()));
    }
    removed
}

fn inject(
    message: MessageNumber,
    sender: &[u8],
    notice: &Notice,
    home: &Home,
    settings: &Settings,
    log: &mut Log,
) -> bool {
    let Ok(mut submission) = Submission::start(home) else {
        log.warning("unable to start qmail-queue, will try later");
        return false;
    };
    let (envelope_sender, recipient) = match notice {
        Notice::DoubleBounce => (DOUBLE_BOUNCE_SENDER, settings.double_bounce_to.as_slice()),
        _ => (&b""[..], sender),
    };
    let qp = submission.pid().as_raw();
    if write(message, sender, recipient, notice, settings, &mut submission).is_err() {
        submission.abandon();
    }
    let mut envelope = submission.envelope(envelope_sender);
    envelope.recipient(recipient);
    match envelope.close() {
        Ok(()) => {
            log.bounce(message, qp);
            true
        }
        // A sender whom the queue never takes cannot be told; the postmaster can.
        Err(refusal) if refusal.class == Class::Permanent && *notice == Notice::Bounce => {
            inject(message, sender, &Notice::DoubleBounce, home, settings, log)
        }
        Err(_) => {
            log.warning("trouble injecting bounce message, will try later");
            false
        }
    }
}

/// The whole bounce, in its order.
fn write(
    message: MessageNumber,
    sender: &[u8],
    recipient: &[u8],
    notice: &Notice,
    settings: &Settings,
    submission: &mut Submission,
) -> io::Result<()> {
    let introduction = introduction(notice, settings);
    let parts = if settings.bouncedsn { Some(Parts::of(message, &introduction)?) } else { None };
    submission.put(&header(recipient, settings));
    submission.put(&parts.as_ref().map_or_else(|| b"\n".to_vec(), Parts::start));
    submission.put(&introduction);
    submission.copy(&mut file::open_read(&Kind::Bounce.path(message))?)?;
    submission.put(separator(notice));
    if let Some(parts) = &parts {
        submission.put(&parts.middle(message, &settings.bouncehost)?);
    }
    submission.put(&[b"Return-Path: <", &one_line(&quote::address(sender))[..], b">\n"].concat());
    submission.copy(&mut file::open_read(&Kind::Mess.path(message))?)?;
    if let Some(parts) = &parts {
        submission.put(&parts.end());
    }
    Ok(())
}

/// QSBMF: the paragraph that begins with "Hi. This is the" marks a bounce.
fn introduction(notice: &Notice, settings: &Settings) -> Vec<u8> {
    let text: &[u8] = match notice {
        Notice::DoubleBounce => {
            b"I tried to deliver a bounce message to this address, but the bounce bounced!\n\n"
        }
        _ => {
            b"I'm afraid I wasn't able to deliver your message to the following addresses.\n\
              This is a permanent error; I've given up. Sorry it didn't work out.\n\n"
        }
    };
    [b"Hi. This is the qmail-send program at ", &settings.bouncehost[..], b".\n", text].concat()
}

fn header(recipient: &[u8], settings: &Settings) -> Vec<u8> {
    [
        b"Date: ",
        date::rfc5322(Stamp::now().seconds).as_bytes(),
        b"\nFrom: ",
        &quote::local_part(&settings.bouncefrom),
        b"@",
        &settings.bouncehost,
        b"\nTo: ",
        &one_line(&quote::address(recipient)),
        b"\nSubject: failure notice\n",
    ]
    .concat()
}

fn separator(notice: &Notice) -> &'static [u8] {
    match notice {
        Notice::DoubleBounce => b"--- Below this line is the original bounce.\n\n",
        _ => b"--- Below this line is a copy of the message.\n\n",
    }
}

/// An address cannot begin another line of a header.
fn one_line(address: &[u8]) -> Vec<u8> {
    address.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b'_' } else { *byte }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(report: &[u8]) -> Vec<u8> {
        record(b"r", report)
    }

    #[test]
    fn a_record_has_no_empty_line_but_its_last() {
        assert_eq!(recorded(b"no such user\n"), b"<r>:\nno such user\n\n");
        assert_eq!(recorded(b"no line end"), b"<r>:\nno line end\n\n");
        assert_eq!(recorded(b""), b"<r>:\n\n");
        assert_eq!(recorded(b"bad\n\nmore\n\n\nx\n"), b"<r>:\nbad\n/more\n//x\n\n");
        assert_eq!(recorded(b"\nx"), b"<r>:\n/x\n\n");
        assert_eq!(record(b"a\nb", b"x"), b"<a_b>:\nx\n\n");
    }

    /// M6
    #[test]
    fn m6_control_bytes_of_a_report_do_not_reach_the_bounce() {
        assert_eq!(recorded(b"a\x1b[2J\r\tb\xe9"), b"<r>:\na?[2J?\tb\xe9\n\n");
    }

    /// B3
    #[test]
    fn b3_a_bounce_of_a_double_bounce_is_discarded() {
        assert_eq!(Notice::for_sender(owner_of(b"joe@x")), Notice::Bounce);
        assert_eq!(Notice::for_sender(owner_of(b"")), Notice::DoubleBounce);
        assert_eq!(Notice::for_sender(owner_of(b"-@[]")), Notice::DoubleBounce);
        assert_eq!(Notice::for_sender(owner_of(b"#@[]")), Notice::Discard);
        assert_eq!(owner_of(b"list-@host-@[]"), b"list-@host");
    }
}
