//! The notice to the sender of a message that could not be sent.
//!
//! Its wording is that of the original, in the form of qmail-send's notices, which bounce parsers read.

use super::message::{Envelope, Message};
use crate::control::{Control, Unreadable};
use crate::message::{date, quote};
use crate::queue::client::Submission;
use crate::queue::envelope::DOUBLE_BOUNCE_SENDER;
use crate::setup::home::Home;
use std::io;
use std::path::Path;
use unix::failure::Failure;
use unix::process::Pid;

/// Who notices come from, and who hears of those that cannot be delivered.
pub struct Origin {
    host: Vec<u8>,
    /// The sender's name in the header.
    from: Vec<u8>,
    double_bounce_host: Vec<u8>,
    double_bounce_to: Vec<u8>,
}

impl Origin {
    /// Reads control/{me, bouncefrom, bouncehost, doublebouncehost, doublebounceto}.
    ///
    /// # Errors
    /// Temporary; a file is there and cannot be read.
    pub fn read(home: &Home) -> Result<Origin, Failure> {
        let control = Control::new(home.control());
        let line = |value: Result<Option<Vec<u8>>, Unreadable>, default: &[u8]| {
            let value = value.map_err(|Unreadable { file, error }| {
                let path = home.path().join(file);
                Failure::temporary(format!("unable to read {}", path.display())).because(&error)
            })?;
            Ok::<_, Failure>(value.unwrap_or_else(|| default.to_vec()))
        };
        let me = line(control.line("me"), b"me")?;
        Ok(Origin {
            host: line(control.line("bouncehost"), &me)?,
            from: line(control.line("bouncefrom"), b"MAILER-DAEMON")?,
            double_bounce_host: line(control.line("doublebouncehost"), &me)?,
            double_bounce_to: line(control.line("doublebounceto"), b"postmaster")?,
        })
    }
}

/// What was done about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// The notice is in the queue, by this qmail-queue.
    Returned(Pid),
    /// The message was a notice about a notice.
    Discarded,
}

/// Why there is no notice.
#[derive(Debug)]
pub enum Trouble {
    /// The message cannot be opened, or there is no qmail-queue.
    Start(io::Error),
    /// It is no message.
    Format,
    /// It cannot be read to its end.
    Read(io::Error),
    /// qmail-queue says this.
    Queue(Vec<u8>),
}

/// Why a message was not sent.
#[derive(Clone, Copy)]
pub struct Reason<'a> {
    /// What the client reported.
    pub text: &'a [u8],
    /// It was only put off, but for too long.
    pub is_too_old: bool,
}

/// Tells the sender of a message in the maildir.
///
/// # Errors
/// See [`Trouble`]; nobody was told.
pub fn send(
    home: &Home,
    origin: &Origin,
    path: &Path,
    prefix: &[u8],
    reason: Reason<'_>,
) -> Result<Done, Trouble> {
    let mut message = Message::open(path, prefix).map_err(Trouble::Start)?.ok_or(Trouble::Format)?;
    if message.envelope.sender == DOUBLE_BOUNCE_SENDER {
        return Ok(Done::Discarded);
    }
    let notice = Notice::about(&message.envelope, origin);
    let mut submission = Submission::start(home).map_err(Trouble::Start)?;
    let pid = submission.pid();
    let now = u64::try_from(unix::clock::Now::read().wall).unwrap_or(0);
    submission.put(&notice.beginning(origin, &message.envelope, reason, now));
    let copied = submission.copy(&mut message);
    if copied.is_err() {
        submission.abandon();
    }
    let mut envelope = submission.envelope(notice.sender);
    envelope.recipient(&notice.recipient);
    let queued = envelope.close();
    copied.map_err(Trouble::Read)?;
    queued.map_err(|refusal| Trouble::Queue(refusal.text))?;
    Ok(Done::Returned(pid))
}

/// A notice: its envelope, and what it says.
struct Notice {
    sender: &'static [u8],
    recipient: Vec<u8>,
    explanation: &'static str,
    separator: &'static str,
}

impl Notice {
    /// To the sender; or, if there is none because the message was itself a notice, to the postmaster.
    fn about(envelope: &Envelope, origin: &Origin) -> Notice {
        if envelope.sender.is_empty() {
            return Notice {
                sender: DOUBLE_BOUNCE_SENDER,
                recipient: [origin.double_bounce_to.as_slice(), b"@", &origin.double_bounce_host].concat(),
                explanation: "I tried to deliver a bounce message to this address, but the bounce bounced!\n",
                separator: "--- Below this line is the original bounce.\n",
            };
        }
        Notice {
            sender: b"",
            recipient: envelope.sender.clone(),
            explanation: "I'm afraid I wasn't able to deliver your message to the following address.\n\
                          This is a permanent error; I've given up. Sorry it didn't work out.\n",
            separator: "--- Below this line is a copy of the message.\n",
        }
    }

    /// All that stands before the message without its two lines.
    fn beginning(&self, origin: &Origin, failed: &Envelope, reason: Reason<'_>, now: u64) -> Vec<u8> {
        let from = quote::address(&[origin.from.as_slice(), b"@", &origin.host].concat());
        let header = format!("Date: {}\n", date::rfc5322(now));
        let remark: &[u8] = if reason.is_too_old { b"[This message is too old. Giving up.]\n" } else { b"" };
        [
            header.as_bytes(),
            b"From: ",
            &from,
            b"\nTo: ",
            &quote::address(&self.recipient),
            b"\nSubject: failure notice\n\nHi. This is the maildirbounce program at ",
            &origin.host,
            b".\n",
            self.explanation.as_bytes(),
            b"\n<",
            &failed.recipient,
            b">:\n",
            reason.text,
            b"\n",
            remark,
            b"\n",
            self.separator.as_bytes(),
            b"\nReturn-Path: <",
            &quote::address(&failed.sender),
            b">\n",
        ]
        .concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Origin {
        Origin {
            host: b"my.host".to_vec(),
            from: b"MAILER-DAEMON".to_vec(),
            double_bounce_host: b"double.host".to_vec(),
            double_bounce_to: b"post master".to_vec(),
        }
    }

    fn notice(sender: &str, is_too_old: bool) -> (Notice, String) {
        let envelope = Envelope { sender: sender.into(), recipient: b"joe@x".to_vec() };
        let notice = Notice::about(&envelope, &origin());
        let reason = Reason { text: b"550 no", is_too_old };
        let text = notice.beginning(&origin(), &envelope, reason, 1_704_164_645);
        (notice, String::from_utf8(text).unwrap())
    }

    #[test]
    fn the_sender_is_told_what_failed_and_why() {
        let (notice, text) = notice("a b@y", false);
        assert_eq!((notice.sender, notice.recipient.as_slice()), (&b""[..], &b"a b@y"[..]));
        assert_eq!(
            text,
            "Date: 2 Jan 2024 03:04:05 -0000\n\
             From: MAILER-DAEMON@my.host\n\
             To: \"a b\"@y\n\
             Subject: failure notice\n\n\
             Hi. This is the maildirbounce program at my.host.\n\
             I'm afraid I wasn't able to deliver your message to the following address.\n\
             This is a permanent error; I've given up. Sorry it didn't work out.\n\n\
             <joe@x>:\n550 no\n\n\
             --- Below this line is a copy of the message.\n\n\
             Return-Path: <\"a b\"@y>\n"
        );
    }

    #[test]
    fn what_was_put_off_for_too_long_is_said_to_be_too_old() {
        let (_, text) = notice("a@y", true);
        assert!(text.contains("\n550 no\n[This message is too old. Giving up.]\n\n--- Below"), "{text}");
    }

    #[test]
    fn a_notice_that_cannot_be_delivered_goes_to_the_postmaster() {
        let (notice, text) = notice("", false);
        assert_eq!(
            (notice.sender, notice.recipient.as_slice()),
            (&b"#@[]"[..], &b"post master@double.host"[..])
        );
        assert!(text.contains("\nTo: \"post master\"@double.host\n"), "{text}");
        assert!(text.contains(
            "at my.host.\nI tried to deliver a bounce message to this address, but the bounce bounced!\n\n<joe@x>:\n"
        ));
        assert!(
            text.ends_with("\n\n--- Below this line is the original bounce.\n\nReturn-Path: <>\n"),
            "{text}"
        );
    }
}
