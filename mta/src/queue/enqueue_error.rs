//! What the exit status of `qmail-queue`, or of a program in its place, means. qmail-queue(8), "EXIT CODES".

/// Why a message was not queued. The numbers are the interface: other programs may stand in for qmail-queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "each is said in RESULTS, once")]
pub enum EnqueueError {
    AddressTooLong = 11,
    AddressControlByte = 12,
    RefusedByServer = 31,
    OutOfMemory = 51,
    Timeout = 52,
    Write = 53,
    Read = 54,
    Configuration = 55,
    NoSocket = 56,
    HomeDirectory = 61,
    QueueDirectory = 62,
    PidFile = 63,
    LinkToMess = 64,
    CreateIntd = 65,
    LinkToTodo = 66,
    PutOffByServer = 71,
    ConnectTimeout = 72,
    ConnectRefused = 73,
    ConnectionFailed = 74,
    Crashed = 81,
    BadEnvelope = 91,
    Account = 111,
    NotRun = 120,
}

/// Whether trying again later can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It cannot: 5xx, bounce, exit 100.
    Permanent,
    /// It can: 4xx, deferral, exit 111.
    Temporary,
}

/// Why a message was not queued, in words for the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Whether trying again can help.
    pub class: Class,
    /// The text, without its class letter, with an enhanced status code (RFC 3463) at its end.
    pub text: Vec<u8>,
}

impl Refusal {
    fn new(class: Class, text: &str) -> Refusal {
        Refusal { class, text: text.as_bytes().to_vec() }
    }

    /// The message could not be handed over although the program did not complain.
    pub fn read_error() -> Refusal {
        Refusal::new(Class::Temporary, "qq read error (#4.3.0)")
    }

    /// The program was ended by a signal.
    pub fn crashed() -> Refusal {
        Refusal::new(Class::Temporary, "qq crashed (#4.3.0)")
    }

    /// Its end could not be learned.
    pub fn unknown_end() -> Refusal {
        Refusal::new(Class::Temporary, "qq waitpid surprise (#4.3.0)")
    }

    /// What an exit status other than 0 means. `custom` is what the program wrote to descriptor 6.
    pub fn from_exit(code: u8, custom: &[u8]) -> Refusal {
        if code == CUSTOM_TEXT && custom.len() > 2 {
            return Refusal::from_custom(custom);
        }
        let known = RESULTS.iter().find(|(codes, _, _)| codes.contains(&code));
        match known {
            Some((_, class, text)) => Refusal::new(*class, text),
            None if (11..=40).contains(&code) => {
                Refusal::new(Class::Permanent, "qq permanent problem (#5.3.0)")
            }
            None => Refusal::new(Class::Temporary, "qq temporary problem (#4.3.0)"),
        }
    }

    /// The text's first byte is its class; whatever is not D is temporary.
    fn from_custom(custom: &[u8]) -> Refusal {
        let (class, text) = custom.split_first().unwrap_or((&b'Z', b""));
        let class = if *class == b'D' { Class::Permanent } else { Class::Temporary };
        Refusal { class, text: text.to_vec() }
    }
}

/// The status of a program that wrote its own text to descriptor 6.
const CUSTOM_TEXT: u8 = 82;

const RESULTS: &[(&[u8], Class, &str)] = &[
    (&[11, 115], Class::Permanent, "envelope address too long for qq (#5.1.3)"),
    (&[12], Class::Permanent, "envelope address has control characters (#5.1.3)"),
    (&[31], Class::Permanent, "mail server permanently rejected message (#5.3.0)"),
    (&[51], Class::Temporary, "qq out of memory (#4.3.0)"),
    (&[52], Class::Temporary, "qq timeout (#4.3.0)"),
    (&[53], Class::Temporary, "qq write error or disk full (#4.3.0)"),
    (&[54], Class::Temporary, "qq read error (#4.3.0)"),
    (&[55], Class::Temporary, "qq unable to read configuration (#4.3.0)"),
    (&[56], Class::Temporary, "qq trouble making network connection (#4.3.0)"),
    (&[61], Class::Temporary, "qq trouble in home directory (#4.3.0)"),
    (&[62, 63, 64, 65, 66], Class::Temporary, "qq trouble creating files in queue (#4.3.0)"),
    (&[71], Class::Temporary, "mail server temporarily rejected message (#4.3.0)"),
    (&[72], Class::Temporary, "connection to mail server timed out (#4.4.1)"),
    (&[73], Class::Temporary, "connection to mail server rejected (#4.4.1)"),
    (&[74], Class::Temporary, "communication with mail server failed (#4.4.2)"),
    (&[81, 91], Class::Temporary, "qq internal bug (#4.3.0)"),
    (&[120], Class::Temporary, "unable to exec qq (#4.3.0)"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_11_to_40_are_permanent_and_all_others_temporary() {
        for code in 1..=255 {
            let permanent = (11..=40).contains(&code) || code == 115;
            assert_eq!(Refusal::from_exit(code, b"").class == Class::Permanent, permanent, "{code}");
        }
    }

    #[test]
    fn a_custom_text_needs_status_82_and_more_than_two_bytes() {
        let refusal = Refusal::from_exit(82, b"Dno thanks (#5.7.1)");
        assert_eq!((refusal.class, refusal.text.as_slice()), (Class::Permanent, &b"no thanks (#5.7.1)"[..]));
        assert_eq!(Refusal::from_exit(82, b"Dn").text, b"qq temporary problem (#4.3.0)");
        assert_eq!(Refusal::from_exit(82, b"later").class, Class::Temporary);
    }
}
