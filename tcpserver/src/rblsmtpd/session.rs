//! The conversation with a client that is turned away, without its I/O.

use super::lists::Verdict;
use super::options::TurnedAway;

/// The line that a client is turned away with: a code, a blank and a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply(Vec<u8>);

impl Reply {
    /// The line for a verdict; a client that is served gets none.
    pub fn to(verdict: &Verdict) -> Option<Reply> {
        let Verdict::TurnedAway { how, text, .. } = verdict else { return None };
        let code: &[u8] = match how {
            TurnedAway::ForNow => b"451 ",
            TurnedAway::ForGood => b"553 ",
        };
        let (text, _) = text.split_at_checked(TEXT_LIMIT).unwrap_or((text, b""));
        Some(Reply([code, &printable(text)].concat()))
    }

    /// Without its CR LF.
    pub fn line(&self) -> &[u8] {
        &self.0
    }
}

/// A text that others chose, as one line that no terminal obeys.
pub(super) fn printable(text: &[u8]) -> Vec<u8> {
    text.iter().map(|byte| if matches!(byte, b' '..=b'~') { *byte } else { b'?' }).collect()
}

/// A conversation in which nothing is accepted.
#[derive(Debug)]
pub(super) struct Session<'a> {
    reply: &'a Reply,
    /// The start of a command whose end has not come.
    command: Vec<u8>,
    is_over: bool,
}

impl<'a> Session<'a> {
    /// One that has just begun.
    pub fn new(reply: &'a Reply) -> Session<'a> {
        Session { reply, command: Vec::new(), is_over: false }
    }

    /// Whether the client has said goodbye.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// The answers to what the client sends.
    pub fn answer(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut answers = Vec::new();
        for byte in bytes {
            if self.is_over {
                break;
            }
            if *byte == b'\n' {
                let command = std::mem::take(&mut self.command);
                answers.extend_from_slice(self.answer_to(&command));
                answers.extend_from_slice(b"\r\n");
            } else if self.command.len() < COMMAND_LIMIT {
                self.command.push(*byte);
            }
        }
        answers
    }

    fn answer_to(&mut self, command: &[u8]) -> &[u8] {
        let command = command.strip_suffix(b"\r").unwrap_or(command);
        let verb = command.split(|byte| *byte == b' ').next().unwrap_or_default();
        match verb.to_ascii_lowercase().as_slice() {
            b"quit" => {
                self.is_over = true;
                b"221 rblsmtpd.local"
            }
            b"helo" | b"ehlo" | b"mail" | b"rset" | b"noop" => b"250 rblsmtpd.local",
            _ => self.reply.line(),
        }
    }
}

/// What a conversation begins with.
pub(super) const GREETING: &[u8] = b"220 rblsmtpd.local\r\n";
/// How many bytes of a text a client is told.
const TEXT_LIMIT: usize = 200;
/// How many bytes of a command are looked at: more than any verb that is known has.
const COMMAND_LIMIT: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(turned_away: TurnedAway, text: &[u8]) -> Reply {
        let text = text.to_vec();
        Reply::to(&Verdict::TurnedAway { how: turned_away, text, list: None }).unwrap()
    }

    #[test]
    fn texts_cannot_break_the_line() {
        assert_eq!(reply(TurnedAway::ForNow, b"a\r\n\x7f\xc3~").line(), b"451 a????~");
        assert_eq!(reply(TurnedAway::ForGood, &[b'x'; 300]).line().len(), 204);
        assert_eq!(Reply::to(&Verdict::Served), None);
    }

    #[test]
    fn nothing_is_accepted_until_quit() {
        let reply = reply(TurnedAway::ForGood, b"no");
        let mut session = Session::new(&reply);
        let mut answers = Vec::new();
        for piece in [&b"HE"[..], b"lo x\r\nrcpt\n", b"mail \r\nnoop\0\nqu", b"it\r\nnoop\r\n"] {
            answers.extend(session.answer(piece));
        }
        let expected =
            "250 rblsmtpd.local\r\n553 no\r\n250 rblsmtpd.local\r\n553 no\r\n221 rblsmtpd.local\r\n";
        assert_eq!(String::from_utf8(answers).unwrap(), expected);
        assert!(session.is_over());
    }

    #[test]
    fn a_long_command_is_not_kept() {
        let reply = reply(TurnedAway::ForNow, b"no");
        let mut session = Session::new(&reply);
        assert_eq!(session.answer(&[b'q'; 100_000]), b"");
        assert_eq!(session.command.len(), COMMAND_LIMIT);
        assert_eq!(session.answer(b"\n"), b"451 no\r\n");
    }
}
