//! Replies of an SMTP server (RFC 5321 §4.2), kept short and made harmless.
//!
//! The text goes into logs and bounces as it stands here: at most 5,000 bytes, CR dropped, and every other
//! control character but LF and TAB replaced by `?`.

/// One reply, of one line or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: Option<u16>,
    text: Vec<u8>,
}

/// What a reply says about a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Codes 200 to 399.
    Accepted,
    /// Codes below 500 otherwise.
    RefusedForNow,
    /// Codes from 500.
    RefusedForGood,
    /// There is no code.
    Nonsense,
}

impl Reply {
    /// The code of the first line.
    pub fn code(&self) -> Option<u16> {
        self.code
    }

    /// The lines with their codes, each with a LF.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// What the code means.
    pub fn meaning(&self) -> Meaning {
        match self.code {
            None => Meaning::Nonsense,
            Some(200..=399) => Meaning::Accepted,
            Some(0..=499) => Meaning::RefusedForNow,
            Some(_) => Meaning::RefusedForGood,
        }
    }

    /// Whether the text has this word, in any case.
    pub fn has_word(&self, word: &[u8]) -> bool {
        self.text.split(|byte| !byte.is_ascii_alphanumeric()).any(|found| found.eq_ignore_ascii_case(word))
    }

    /// Whether a line after the first begins with this word, as extensions are announced (RFC 5321 §4.1.1.1).
    pub fn announces(&self, keyword: &[u8]) -> bool {
        let lines = self.text.split(|byte| *byte == b'\n').skip(1);
        let mut words = lines.filter_map(|line| line.get(4..)?.split(|byte| *byte == b' ').next());
        words.any(|word| word.eq_ignore_ascii_case(keyword))
    }
}

/// Puts a reply together from bytes as they arrive.
#[derive(Debug, Default)]
pub struct ReplyReader {
    /// The first bytes of the line that is being read.
    head: Vec<u8>,
    first_line: Option<FirstLine>,
    text: Vec<u8>,
    length: usize,
}

#[derive(Clone, Copy, Debug)]
struct FirstLine {
    code: Option<u16>,
}

/// A reply went on for more than a mebibyte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl ReplyReader {
    /// Takes the next byte; the reply if that was its last.
    pub fn take(&mut self, byte: u8) -> Result<Option<Reply>, TooLong> {
        self.length = self.length.saturating_add(1);
        if self.length > LENGTH_LIMIT {
            return Err(TooLong);
        }
        if byte != b'\r' {
            if self.text.len() < TEXT_LIMIT {
                self.text.push(harmless(byte));
            }
            if self.head.len() < HEAD_LENGTH {
                self.head.push(byte);
            }
        }
        Ok(if byte == b'\n' { self.end_line() } else { None })
    }

    /// The code of the first line counts. A hyphen after the code promises another line.
    fn end_line(&mut self) -> Option<Reply> {
        let head = std::mem::take(&mut self.head);
        let first_line = *self.first_line.get_or_insert(FirstLine { code: code(&head) });
        if first_line.code.is_some() && head.get(3) == Some(&b'-') {
            return None;
        }
        let read = std::mem::take(self);
        Some(Reply { code: first_line.code, text: read.text })
    }
}

fn code(head: &[u8]) -> Option<u16> {
    let digits = head.get(..3)?;
    digits.iter().try_fold(0_u16, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| u16::from(byte.wrapping_sub(b'0')))?;
        Some(value.saturating_mul(10).saturating_add(digit))
    })
}

fn harmless(byte: u8) -> u8 {
    if byte.is_ascii_control() && !matches!(byte, b'\n' | b'\t') { b'?' } else { byte }
}

/// How much of a reply is kept.
const TEXT_LIMIT: usize = 5000;
/// How much of a reply is read.
const LENGTH_LIMIT: usize = 1024 * 1024;
/// Code and hyphen.
const HEAD_LENGTH: usize = 4;

#[cfg(test)]
impl Reply {
    /// The first reply in these bytes.
    pub fn of(bytes: &[u8]) -> Reply {
        let mut reader = ReplyReader::default();
        bytes.iter().find_map(|byte| reader.take(*byte).unwrap()).expect("a whole reply")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_of_several_lines_has_the_code_of_its_first() {
        let reply = Reply::of(b"250-mx.example\r\n250-SIZE 1000\r\n550 PIPELINING\r\n220 next\r\n");
        assert_eq!(reply.code(), Some(250));
        assert_eq!(reply.text(), b"250-mx.example\n250-SIZE 1000\n550 PIPELINING\n");
    }

    #[test]
    fn codes_have_four_meanings() {
        let meaning = |text: &[u8]| Reply::of(text).meaning();
        assert_eq!(meaning(b"250 ok\r\n"), Meaning::Accepted);
        assert_eq!(meaning(b"354\n"), Meaning::Accepted);
        assert_eq!(meaning(b"150 ?\r\n"), Meaning::RefusedForNow);
        assert_eq!(meaning(b"421 bye\r\n"), Meaning::RefusedForNow);
        assert_eq!(meaning(b"599-a\r\n599 b\r\n"), Meaning::RefusedForGood);
        assert_eq!(meaning(b"999 b\r\n"), Meaning::RefusedForGood);
        for nonsense in [&b"hello\r\n"[..], b"\r\n", b"25\r\n", b" 250 ok\r\n", b"abc-def\r\n", b"+50 x\r\n"]
        {
            assert_eq!(meaning(nonsense), Meaning::Nonsense);
        }
    }

    #[test]
    fn m6_a_reply_is_cut_at_5000_bytes_and_cannot_bring_control_characters_into_a_log() {
        let reply = Reply::of(b"550 a\0b\x1b[2Jc\td\x7f\r\r\n");
        assert_eq!(reply.text(), b"550 a?b?[2Jc\td?\n");
        let long = [b"550 ", &[b'x'; 10_000][..], b"\r\n"].concat();
        assert_eq!(Reply::of(&long).text().len(), 5000);
    }

    #[test]
    fn m1_a_reply_without_end_is_given_up() {
        let mut reader = ReplyReader::default();
        let lines = b"250-x\r\n".iter().cycle().take(2 * LENGTH_LIMIT);
        assert!(lines.copied().map(|byte| reader.take(byte)).any(|result| result == Err(TooLong)));
    }

    #[test]
    fn extensions_are_words_at_the_start_of_later_lines() {
        let reply = Reply::of(b"250-PIPELINING.example\r\n250-size 1000\r\n250 8BITMIME\r\n");
        assert!(reply.announces(b"SIZE"));
        assert!(reply.announces(b"8BITMIME"));
        assert!(!reply.announces(b"PIPELINING"));
        assert!(!reply.announces(b"1000"));
    }

    #[test]
    fn a_greeting_is_searched_for_whole_words() {
        assert!(Reply::of(b"220 mx.example ESMTP Postfix\r\n").has_word(b"esmtp"));
        assert!(!Reply::of(b"220 noesmtphere.example\r\n").has_word(b"ESMTP"));
        assert!(Reply::of(b"220-mx.example\r\n220 ESMTP\r\n").has_word(b"ESMTP"));
    }
}
