//! What qmail-remote tells qmail-rspawn: a record for each recipient, then one for the message.
//!
//! | record | meaning |
//! |---|---|
//! | `r` `h` `s` | this recipient was accepted, refused for good, or refused for now |
//! | `K` `D` `Z` | the message was accepted, refused for good, or should be tried again |
//!
//! Each is the letter, a text and a NUL. The texts end up in logs and bounces, so those that contain a reply
//! of the other host hold it cleaned: see [`super::smtp_client::reply`].

use std::net::IpAddr;

/// What became of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecipientReport {
    /// The host takes mail for it.
    Accepted,
    /// The host does not, for good or for now.
    Refused {
        /// Whether trying again can help.
        refusal: Refusal,
        /// The host.
        peer: IpAddr,
        /// Its reply.
        reply: Vec<u8>,
    },
}

/// Whether trying again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It can.
    Temporary,
    /// It cannot.
    Permanent,
}

/// At which point a host refused the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its greeting was not 220.
    Greeting,
    /// It did not like our name.
    Hello,
    /// MAIL.
    Sender,
    /// DATA.
    Data,
    /// After the end of the message.
    Message,
}

/// What became of the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageReport {
    /// The program was called with too few arguments.
    Misused,
    /// The installation could not be used.
    NoHome,
    /// A control file could not be read, or says nothing where it must.
    NoControls,
    /// The kernel would not say or give something.
    NoResources,
    /// The sender's address has control characters, which would be commands of their own.
    UnsendableSender,
    /// A recipient's address has control characters.
    UnsendableRecipient,
    /// A recipient's address has nothing before the `@`.
    NoLocalPart,
    /// There is no such host.
    NoSuchHost(Vec<u8>),
    /// DNS gave no answer.
    DnsTrouble,
    /// The host's exchangers have no address.
    NoExchanger,
    /// The host says that it takes no mail (RFC 7505).
    TakesNoMail(Vec<u8>),
    /// The best exchanger is this machine.
    OurselvesBest,
    /// No address could be connected to.
    NoConnection,
    /// The connection broke, or the host was silent for too long.
    Died {
        /// The host.
        peer: IpAddr,
        /// Whether the host had been given the whole message.
        possible_duplicate: bool,
    },
    /// The host's replies do not fit our commands.
    OutOfStep(IpAddr),
    /// The message could not be read.
    Unreadable,
    /// The message's last line has no end.
    PartialLine,
    /// The host refused.
    Refused {
        /// What it refused.
        stage: Stage,
        /// Whether trying again can help.
        refusal: Refusal,
        /// The host.
        peer: IpAddr,
        /// Its reply.
        reply: Vec<u8>,
    },
    /// The host accepted no recipient.
    NoRecipient(IpAddr),
    /// The host accepted the message.
    Accepted {
        /// The host.
        peer: IpAddr,
        /// Its reply.
        reply: Vec<u8>,
    },
}

impl RecipientReport {
    /// The record.
    pub fn to_record(&self) -> Vec<u8> {
        match self {
            RecipientReport::Accepted => b"r\0".to_vec(),
            RecipientReport::Refused { refusal, peer, reply } => {
                let letter = match refusal {
                    Refusal::Temporary => 's',
                    Refusal::Permanent => 'h',
                };
                with_reply(format!("{letter}{peer} does not like recipient."), reply)
            }
        }
    }
}

impl MessageReport {
    /// The record.
    pub fn to_record(&self) -> Vec<u8> {
        match self {
            MessageReport::Misused => line("DI (qmail-remote) was invoked improperly. (#5.3.5)"),
            MessageReport::NoHome => line("ZUnable to switch to home directory. (#4.3.0)"),
            MessageReport::NoControls => line("ZUnable to read control files. (#4.3.0)"),
            MessageReport::NoResources => line("ZSystem resources temporarily unavailable. (#4.3.0)"),
            MessageReport::UnsendableSender => {
                line("DSorry, the envelope sender contains control characters. (#5.1.7)")
            }
            MessageReport::UnsendableRecipient => {
                line("DSorry, the recipient address contains control characters. (#5.1.3)")
            }
            MessageReport::NoLocalPart => line("DSorry, the recipient address has no local part. (#5.1.3)"),
            MessageReport::NoSuchHost(host) => {
                line(format!("DSorry, I couldn't find any host named {}. (#5.1.2)", printable(host)))
            }
            MessageReport::DnsTrouble => line("ZSorry, I couldn't find any host by that name. (#4.1.2)"),
            MessageReport::NoExchanger => {
                line("DSorry, I couldn't find a mail exchanger or IP address. (#5.4.4)")
            }
            MessageReport::TakesNoMail(host) => {
                line(format!("DSorry, {} says that it does not accept mail. (#5.1.10)", printable(host)))
            }
            MessageReport::OurselvesBest => line(
                "DSorry. Although I'm listed as a best-preference MX or A for that host,\n\
                 it isn't in my control/locals file, so I don't treat it as local. (#5.4.6)",
            ),
            MessageReport::NoConnection => {
                line("ZSorry, I wasn't able to establish an SMTP connection. (#4.4.1)")
            }
            MessageReport::Died { peer, possible_duplicate } => {
                let duplicate = if *possible_duplicate { "Possible duplicate! " } else { "" };
                line(format!("ZConnected to {peer} but connection died. {duplicate}(#4.4.2)"))
            }
            MessageReport::OutOfStep(peer) => {
                line(format!("ZConnected to {peer} but its replies did not make sense. (#4.5.0)"))
            }
            MessageReport::Unreadable => line("ZUnable to read message. (#4.3.0)"),
            MessageReport::PartialLine => {
                line("DSMTP cannot transfer messages with partial final lines. (#5.6.2)")
            }
            MessageReport::Refused { stage, refusal, peer, reply } => {
                with_reply(refused(*stage, *refusal, *peer), reply)
            }
            MessageReport::NoRecipient(peer) => line(format!("DGiving up on {peer}.")),
            MessageReport::Accepted { peer, reply } => {
                with_reply(format!("K{peer} accepted message."), reply)
            }
        }
    }
}

fn refused(stage: Stage, refusal: Refusal, peer: IpAddr) -> String {
    let letter = match refusal {
        Refusal::Temporary => 'Z',
        Refusal::Permanent => 'D',
    };
    match stage {
        Stage::Greeting => format!("{letter}Connected to {peer} but greeting failed."),
        Stage::Hello => format!("{letter}Connected to {peer} but my name was rejected."),
        Stage::Sender => format!("{letter}Connected to {peer} but sender was rejected."),
        Stage::Data => format!("{letter}{peer} failed on DATA command."),
        Stage::Message => format!("{letter}{peer} failed after I sent the message."),
    }
}

fn line(text: impl Into<Vec<u8>>) -> Vec<u8> {
    let mut record = text.into();
    record.extend_from_slice(b"\n\0");
    record
}

fn with_reply(text: String, reply: &[u8]) -> Vec<u8> {
    let said: &[u8] = if reply.is_empty() { b"" } else { b"Remote host said: " };
    [text.as_bytes(), b"\n", said, reply, b"\0"].concat()
}

/// A host name as it may stand in a report.
fn printable(host: &[u8]) -> String {
    host.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2));

    fn text(record: &[u8]) -> &str {
        std::str::from_utf8(record).unwrap()
    }

    #[test]
    fn a_reply_stands_below_the_text_and_nothing_if_there_is_none() {
        let accepted = MessageReport::Accepted { peer: PEER, reply: b"250 accepted as 123\n".to_vec() };
        let expected = "K127.0.0.2 accepted message.\nRemote host said: 250 accepted as 123\n\0";
        assert_eq!(text(&accepted.to_record()), expected);
        let silent = MessageReport::Accepted { peer: PEER, reply: Vec::new() };
        assert_eq!(text(&silent.to_record()), "K127.0.0.2 accepted message.\n\0");
    }

    #[test]
    fn a_recipient_is_accepted_refused_for_good_or_refused_for_now() {
        let refused = |refusal| {
            let reply = b"550-l1\n550 l2\n".to_vec();
            RecipientReport::Refused { refusal, peer: PEER, reply }.to_record()
        };
        assert_eq!(RecipientReport::Accepted.to_record(), b"r\0");
        let expected = "127.0.0.2 does not like recipient.\nRemote host said: 550-l1\n550 l2\n\0";
        assert_eq!(text(&refused(Refusal::Permanent)), format!("h{expected}"));
        assert_eq!(text(&refused(Refusal::Temporary)), format!("s{expected}"));
    }

    #[test]
    fn an_ipv6_host_is_named_in_its_short_form() {
        let report = MessageReport::NoRecipient("2001:DB8:0:0:0:0:0:1".parse().unwrap());
        assert_eq!(text(&report.to_record()), "DGiving up on 2001:db8::1.\n\0");
    }

    #[test]
    fn a_host_name_cannot_bring_control_characters_into_a_report() {
        let report = MessageReport::NoSuchHost(b"a\n\0\xe9 b".to_vec());
        assert_eq!(text(&report.to_record()), "DSorry, I couldn't find any host named a????b. (#5.1.2)\n\0");
    }

    #[test]
    fn a_broken_connection_warns_of_a_duplicate_once_the_message_was_sent() {
        let died = |possible_duplicate| MessageReport::Died { peer: PEER, possible_duplicate }.to_record();
        assert_eq!(text(&died(false)), "ZConnected to 127.0.0.2 but connection died. (#4.4.2)\n\0");
        let expected = "ZConnected to 127.0.0.2 but connection died. Possible duplicate! (#4.4.2)\n\0";
        assert_eq!(text(&died(true)), expected);
    }
}
