//! Every reply of the server, each wording once. Clients and log analysers know them.

use crate::queue::enqueue_error::{Class, Refusal};

/// A reply. RFC 5321 §4.2; the codes at the end of the texts are those of RFC 3463.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is said in `to_bytes`, once")]
pub enum Reply {
    Banner,
    Hello,
    HelloExtended { databytes: u64 },
    Ok,
    Flushed,
    CannotVerify,
    Help,
    Goodbye,
    GoAhead,
    Queued { time: u64, qp: i32 },
    Refused(Refusal),
    MailFirst,
    RcptFirst,
    Unimplemented,
    LineTooLong,
    ControlByte,
    MalformedAddress,
    BadSender,
    HostNotAllowed,
    NoSuchAddress,
    CheckNotNow,
    TooManyRecipients,
    TooManyRefused,
    TooManyHops,
    TooLarge,
    QueueNotStarted,
    BareLineFeed,
    BareCarriageReturn,
    Timeout,
    SessionTooLong,
    NoControls,
    NoOwnAddresses,
}

impl Reply {
    /// The reply as it goes to the client. `name` is what the administrator calls this server.
    pub fn to_bytes(&self, name: &[u8]) -> Vec<u8> {
        let text = match self {
            Reply::Banner => return line(&[b"220 ", name, b" ESMTP"]),
            Reply::Hello => return line(&[b"250 ", name]),
            Reply::HelloExtended { databytes } => {
                let extensions = format!("\r\n250-PIPELINING\r\n250-SIZE {databytes}\r\n250 8BITMIME");
                return line(&[b"250-", name, extensions.as_bytes()]);
            }
            Reply::Goodbye => return line(&[b"221 ", name]),
            Reply::Queued { time, qp } => return line(&[format!("250 ok {time} qp {qp}").as_bytes()]),
            Reply::Refused(refusal) => {
                let code: &[u8] = if refusal.class == Class::Permanent { b"554 " } else { b"451 " };
                return line(&[code, &one_line(&refusal.text)]);
            }
            Reply::Ok => "250 ok",
            Reply::Flushed => "250 flushed",
            Reply::CannotVerify => "252 send some mail, i'll try my best",
            Reply::Help => "214 qmail-smtpd(8) says what this server does",
            Reply::GoAhead => "354 go ahead",
            Reply::MailFirst => "503 MAIL first (#5.5.1)",
            Reply::RcptFirst => "503 RCPT first (#5.5.1)",
            Reply::Unimplemented => "502 unimplemented (#5.5.1)",
            Reply::LineTooLong => "500 command line too long (#5.5.2)",
            Reply::ControlByte => "501 control characters not allowed (#5.5.2)",
            Reply::MalformedAddress => "555 syntax error (#5.5.4)",
            Reply::BadSender => "553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)",
            Reply::HostNotAllowed => "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
            Reply::NoSuchAddress => "550 5.1.1 sorry, no mailbox here by that name",
            Reply::CheckNotNow => "451 4.3.0 unable to check this recipient for now",
            Reply::TooManyRecipients => "452 too many recipients, send the others later (#4.5.3)",
            Reply::TooManyRefused => "421 too many recipients refused (#4.7.0)",
            Reply::TooManyHops => "554 too many hops, this message is looping (#5.4.6)",
            Reply::TooLarge => "552 sorry, that message size exceeds my databytes limit (#5.3.4)",
            Reply::QueueNotStarted => "451 qqt failure (#4.3.0)",
            Reply::BareLineFeed => "451 See https://cr.yp.to/docs/smtplf.html.",
            Reply::BareCarriageReturn => "451 CR may stand before LF only, see RFC 5321 section 2.3.8.",
            Reply::Timeout => "451 timeout (#4.4.2)",
            Reply::SessionTooLong => "421 session too long (#4.4.2)",
            Reply::NoControls => "421 unable to read controls (#4.3.0)",
            Reply::NoOwnAddresses => "421 unable to figure out my IP addresses (#4.3.0)",
        };
        line(&[text.as_bytes()])
    }
}

fn line(parts: &[&[u8]]) -> Vec<u8> {
    [&parts.concat()[..], b"\r\n"].concat()
}

/// A text from another program as part of one reply line: no client may take a piece of it for another reply.
/// It may have been cut; half a UTF-8 character at its end is left out.
fn one_line(text: &[u8]) -> Vec<u8> {
    let whole = match std::str::from_utf8(text) {
        Err(error) if error.error_len().is_none() => text.get(..error.valid_up_to()).unwrap_or(text),
        _ => text,
    };
    let clean = whole.trim_ascii().iter().map(|byte| if byte.is_ascii_control() { b'?' } else { *byte });
    clean.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(reply: Reply) -> String {
        String::from_utf8(reply.to_bytes(b"mail.example two")).unwrap()
    }

    #[test]
    fn replies_with_our_name_have_all_its_words() {
        assert_eq!(text(Reply::Banner), "220 mail.example two ESMTP\r\n");
        assert_eq!(text(Reply::Hello), "250 mail.example two\r\n");
        assert_eq!(text(Reply::Goodbye), "221 mail.example two\r\n");
        let extended = "250-mail.example two\r\n250-PIPELINING\r\n250-SIZE 0\r\n250 8BITMIME\r\n";
        assert_eq!(text(Reply::HelloExtended { databytes: 0 }), extended);
    }

    /// M6: what a queue program says stays one reply.
    #[test]
    fn m6_a_queue_programs_text_is_cleaned() {
        let refused = |class, said: &[u8]| text(Reply::Refused(Refusal { class, text: said.to_vec() }));
        assert_eq!(refused(Class::Permanent, b"no\r\n250 ok\x1b[2J\r\n"), "554 no??250 ok?[2J\r\n");
        assert_eq!(refused(Class::Temporary, b"later (#4.3.0)"), "451 later (#4.3.0)\r\n");
        assert_eq!(refused(Class::Temporary, b"caf\xc3\xa9 caf\xc3"), "451 caf\u{e9} caf\r\n");
    }
}
