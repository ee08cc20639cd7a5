//! Replies of the quick protocols: a netstring whose first letter is the verdict, K, Z or D.
//!
//! Most of them say what an SMTP reply says, and with its words.

use super::netstring;
use super::smtpd::reply::Reply;
use crate::queue::enqueue_error::Refusal;
use unix::stamp::Stamp;

/// A reply to one recipient (QMTP) or to a request (QMQP).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuickReply {
    /// The verdict and words of this SMTP reply.
    Like(Reply),
    /// A recipient that is too long or has a control byte.
    CannotHandleRecipient,
    /// A sender that is too long or has a control byte.
    UnacceptableSender,
    /// The same, where there is one reply for all addresses.
    UnacceptableAddress,
}

impl QuickReply {
    /// What qmail-queue answered, which has the process number `qp`.
    pub fn of_queue(result: Result<(), Refusal>, qp: i32) -> QuickReply {
        QuickReply::Like(match result {
            Ok(()) => Reply::Queued { time: Stamp::now().seconds, qp },
            Err(refusal) => Reply::Refused(refusal),
        })
    }

    /// The netstring as it goes to the client.
    pub fn to_netstring(&self) -> Vec<u8> {
        let text = match self {
            QuickReply::Like(reply) => like(&reply.to_bytes(b"")),
            QuickReply::CannotHandleRecipient => b"Dsorry, I can't handle that recipient (#5.1.3)".to_vec(),
            QuickReply::UnacceptableSender => b"Dunacceptable sender (#5.1.7)".to_vec(),
            QuickReply::UnacceptableAddress => {
                b"Dsorry, I can't accept addresses like that (#5.1.3)".to_vec()
            }
        };
        netstring::encode(&text)
    }
}

/// An SMTP reply, `CODE TEXT` CR LF, with the letter for its code.
fn like(reply: &[u8]) -> Vec<u8> {
    let letter = match reply.first() {
        Some(b'2') => b'K',
        Some(b'5') => b'D',
        _ => b'Z',
    };
    let text = reply.get(4..).unwrap_or_default();
    [&[letter], text.strip_suffix(b"\r\n").unwrap_or(text)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(reply: QuickReply) -> String {
        String::from_utf8(reply.to_netstring()).unwrap()
    }

    #[test]
    fn the_letter_tells_success_from_temporary_and_permanent_failure() {
        let like = |reply| text(QuickReply::Like(reply));
        assert_eq!(like(Reply::Queued { time: 1_795_350_278, qp: 5146 }), "22:Kok 1795350278 qp 5146,");
        assert_eq!(
            like(Reply::HostNotAllowed),
            "66:Dsorry, that domain isn't in my list of allowed rcpthosts (#5.7.1),"
        );
        assert_eq!(
            like(Reply::TooLarge),
            "61:Dsorry, that message size exceeds my databytes limit (#5.3.4),"
        );
        assert_eq!(
            like(Reply::Refused(Refusal::from_exit(53, b""))),
            "37:Zqq write error or disk full (#4.3.0),"
        );
        assert_eq!(
            like(Reply::Refused(Refusal::from_exit(31, b""))),
            "50:Dmail server permanently rejected message (#5.3.0),"
        );
    }

    #[test]
    fn refused_addresses_have_the_documented_words() {
        assert_eq!(
            text(QuickReply::CannotHandleRecipient),
            "46:Dsorry, I can't handle that recipient (#5.1.3),"
        );
        assert_eq!(text(QuickReply::UnacceptableSender), "29:Dunacceptable sender (#5.1.7),");
        assert_eq!(
            text(QuickReply::UnacceptableAddress),
            "51:Dsorry, I can't accept addresses like that (#5.1.3),"
        );
    }
}
