//! Command lines as commands. qmail-smtpd(8); RFC 5321 §4.1.1.

use crate::server::line::Line;

/// What a client asks for. Arguments are what follows the verb and its spaces, as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The client's name, from one that knows no extensions.
    Helo(Vec<u8>),
    /// The client's name, from one that asks for extensions.
    Ehlo(Vec<u8>),
    /// Begins a transaction.
    Mail(Vec<u8>),
    /// Adds a recipient.
    Rcpt(Vec<u8>),
    /// Sends the message.
    Data,
    /// Forgets the transaction.
    Rset,
    /// Nothing.
    Noop,
    /// Asks whether an address exists.
    Vrfy,
    /// Asks for help.
    Help,
    /// Ends the session.
    Quit,
    /// A verb that we do not have, or none.
    Unknown,
    /// A line with a control byte: no honest client sends one, and a log or a filter may read it in another way.
    ControlByte,
    /// A line over the limit.
    TooLong,
}

impl Command {
    /// Reads one line. The verb ends at the first space (a tab is not one), in either case of letters.
    pub fn parse(line: Line) -> Command {
        let Line::Complete(line) = line else { return Command::TooLong };
        if line.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
            return Command::ControlByte;
        }
        let (verb, rest) = line.split_at(memchr::memchr(b' ', &line).unwrap_or(line.len()));
        let blanks = rest.iter().take_while(|byte| **byte == b' ').count();
        let argument = rest.get(blanks..).unwrap_or_default().to_vec();
        match verb.to_ascii_lowercase().as_slice() {
            b"helo" => Command::Helo(argument),
            b"ehlo" => Command::Ehlo(argument),
            b"mail" => Command::Mail(argument),
            b"rcpt" => Command::Rcpt(argument),
            b"data" => Command::Data,
            b"rset" => Command::Rset,
            b"noop" => Command::Noop,
            b"vrfy" => Command::Vrfy,
            b"help" => Command::Help,
            b"quit" => Command::Quit,
            _ => Command::Unknown,
        }
    }

    /// Whether the client waits for the reply before it goes on, so that the reply must not wait. RFC 2920 §3.1.
    pub fn ends_a_group(&self) -> bool {
        !matches!(self, Command::Mail(_) | Command::Rcpt(_) | Command::Rset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &[u8]) -> Command {
        Command::parse(Line::Complete(line.to_vec()))
    }

    #[test]
    fn the_verb_ends_at_the_first_space_and_the_argument_keeps_its_end() {
        assert_eq!(parse(b"mAiL   FROM:<a>  "), Command::Mail(b"FROM:<a>  ".to_vec()));
        assert_eq!(parse(b"RCPT"), Command::Rcpt(Vec::new()));
        assert_eq!(parse(b"DATA now"), Command::Data);
        for unknown in [&b"MAIL\tFROM:<a>"[..], b" NOOP", b"", b"NOOPS", b"ETRN x"] {
            assert_eq!(parse(unknown), Command::Unknown);
        }
    }

    #[test]
    fn s4_control_bytes_make_no_command() {
        for byte in (0..=31).chain([127]).filter(|byte| *byte != b'\t') {
            assert_eq!(parse(&[b"QUIT ", &[byte][..]].concat()), Command::ControlByte, "{byte}");
        }
        assert_eq!(parse(b"HELO a\tb\xe9"), Command::Helo(b"a\tb\xe9".to_vec()));
    }
}
