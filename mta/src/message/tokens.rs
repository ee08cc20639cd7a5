//! The words and marks that an address field consists of (RFC 822 §3.3, as qmail-header(5) reads it).
//!
//! [`lex`] turns a field into tokens; [`BackwardWriter`] turns tokens back into a field, with quotes where they
//! are needed and lines folded. A character that was quoted by itself (`\x`) is not remembered as such.

use std::borrow::Cow;

/// The longest line that is filled with several addresses. A single address may make a longer one.
const LINE_LENGTH: usize = 78;

/// One word or mark of an address field. White space is none: it only separates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// `.`
    Dot,
    /// `,`
    Comma,
    /// `@`
    At,
    /// `<`
    Less,
    /// `>`
    Greater,
    /// `:`
    Colon,
    /// `;`
    Semicolon,
    /// A word that needs no quotes.
    Atom(Cow<'a, [u8]>),
    /// `"…"`
    Quoted(Cow<'a, [u8]>),
    /// `[…]`, such as the number of a host.
    Literal(Cow<'a, [u8]>),
    /// `(…)`; parentheses inside are counted and left out.
    Comment(Cow<'a, [u8]>),
}

/// The text is no list of tokens, or the tokens are no list of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl<'a> Token<'a> {
    /// An atom, for text that is known to be none of the marks.
    pub fn atom(text: &'a (impl AsRef<[u8]> + ?Sized)) -> Token<'a> {
        Token::Atom(Cow::Borrowed(text.as_ref()))
    }

    /// A quoted string; the text is without quotes and backslashes.
    pub fn quoted(text: &'a (impl AsRef<[u8]> + ?Sized)) -> Token<'a> {
        Token::Quoted(Cow::Borrowed(text.as_ref()))
    }

    /// A comment; the text is without parentheses and backslashes.
    pub fn comment(text: &'a (impl AsRef<[u8]> + ?Sized)) -> Token<'a> {
        Token::Comment(Cow::Borrowed(text.as_ref()))
    }

    /// The same token, sharing this one's text.
    pub fn share(&self) -> Token<'_> {
        match self {
            Token::Atom(text) => Token::Atom(Cow::Borrowed(text)),
            Token::Quoted(text) => Token::Quoted(Cow::Borrowed(text)),
            Token::Literal(text) => Token::Literal(Cow::Borrowed(text)),
            Token::Comment(text) => Token::Comment(Cow::Borrowed(text)),
            Token::Dot => Token::Dot,
            Token::Comma => Token::Comma,
            Token::At => Token::At,
            Token::Less => Token::Less,
            Token::Greater => Token::Greater,
            Token::Colon => Token::Colon,
            Token::Semicolon => Token::Semicolon,
        }
    }

    /// The same token with a text of its own.
    pub fn into_owned(self) -> Token<'static> {
        let own = |text: Cow<'a, [u8]>| Cow::Owned(text.into_owned());
        match self {
            Token::Atom(text) => Token::Atom(own(text)),
            Token::Quoted(text) => Token::Quoted(own(text)),
            Token::Literal(text) => Token::Literal(own(text)),
            Token::Comment(text) => Token::Comment(own(text)),
            Token::Dot => Token::Dot,
            Token::Comma => Token::Comma,
            Token::At => Token::At,
            Token::Less => Token::Less,
            Token::Greater => Token::Greater,
            Token::Colon => Token::Colon,
            Token::Semicolon => Token::Semicolon,
        }
    }

    fn mark(byte: u8) -> Option<Token<'static>> {
        Some(match byte {
            b'.' => Token::Dot,
            b',' => Token::Comma,
            b'@' => Token::At,
            b'<' => Token::Less,
            b'>' => Token::Greater,
            b':' => Token::Colon,
            b';' => Token::Semicolon,
            _ => return None,
        })
    }

    /// Whether it has a text of its own: two such neighbours need a space between them.
    fn is_text(&self) -> bool {
        matches!(self, Token::Atom(_) | Token::Quoted(_) | Token::Literal(_) | Token::Comment(_))
    }

    fn write(&self, line: &mut Vec<u8>) {
        match self {
            Token::Dot => line.push(b'.'),
            Token::Comma => line.push(b','),
            Token::At => line.push(b'@'),
            Token::Less => line.push(b'<'),
            Token::Greater => line.push(b'>'),
            Token::Colon => line.push(b':'),
            Token::Semicolon => line.push(b';'),
            Token::Atom(text) => write_escaped(text, line),
            Token::Quoted(text) => write_between(b'"', text, b'"', line),
            Token::Literal(text) => write_between(b'[', text, b']', line),
            Token::Comment(text) => write_between(b'(', text, b')', line),
        }
    }
}

/// The tokens of a text.
///
/// # Errors
/// A comment, quoted string or literal has no end, or a `)` or `]` stands where a token has to begin.
pub fn lex(text: &[u8]) -> Result<Vec<Token<'_>>, Malformed> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if is_white(byte) {
            continue;
        }
        tokens.push(match byte {
            b'(' => Token::Comment(delimited(&mut rest, Some(b'('), b')')?),
            b'"' => Token::Quoted(delimited(&mut rest, None, b'"')?),
            b'[' => Token::Literal(delimited(&mut rest, None, b']')?),
            b')' | b']' => return Err(Malformed),
            _ => match Token::mark(byte) {
                Some(mark) => mark,
                None => word(text, &mut rest),
            },
        });
    }
    Ok(tokens)
}

fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Takes the text up to the closing byte, which is taken too. `open` is the byte that nests, if one does.
fn delimited<'a>(rest: &mut &'a [u8], open: Option<u8>, close: u8) -> Result<Cow<'a, [u8]>, Malformed> {
    let special = |byte: u8| byte == close || byte == b'\\' || Some(byte) == open;
    let plain = rest.iter().position(|byte| special(*byte)).ok_or(Malformed)?;
    let (text, mut after) = rest.split_at_checked(plain).ok_or(Malformed)?;
    if let Some((byte, end)) = after.split_first()
        && *byte == close
    {
        *rest = end;
        return Ok(Cow::Borrowed(text));
    }
    let mut text = text.to_vec();
    let mut depth: usize = 1;
    while depth > 0 {
        let byte = take(&mut after).ok_or(Malformed)?;
        if byte == close {
            depth = depth.saturating_sub(1);
        } else if Some(byte) == open {
            depth = depth.saturating_add(1);
        } else if byte == b'\\' {
            text.push(take(&mut after).ok_or(Malformed)?);
        } else {
            text.push(byte);
        }
    }
    *rest = after;
    Ok(Cow::Owned(text))
}

/// Takes an unquoted word, whose first byte lies just before `rest` in `whole`.
///
/// What it would take quotes to write comes out as a quoted string.
fn word<'a>(whole: &'a [u8], rest: &mut &'a [u8]) -> Token<'a> {
    let start = whole.len().saturating_sub(rest.len()).saturating_sub(1);
    let from_start = whole.get(start..).unwrap_or_default();
    let end = from_start.iter().position(|byte| ends_word(*byte) || *byte == b'\\');
    let (plain, after) = from_start.split_at_checked(end.unwrap_or(from_start.len())).unwrap_or((b"", b""));
    let text = if after.first() == Some(&b'\\') {
        Cow::Owned(word_with_escapes(plain, after, rest))
    } else {
        *rest = after;
        Cow::Borrowed(plain)
    };
    if text.iter().any(|byte| !(32..=126).contains(byte) || matches!(byte, b')' | b']' | b'\\')) {
        Token::Quoted(text)
    } else {
        Token::Atom(text)
    }
}

/// A backslash makes the byte after it part of the word; one at the very end counts for nothing.
fn word_with_escapes<'a>(plain: &[u8], mut after: &'a [u8], rest: &mut &'a [u8]) -> Vec<u8> {
    let mut text = plain.to_vec();
    while let Some(&byte) = after.first()
        && !ends_word(byte)
    {
        take(&mut after);
        if byte == b'\\' {
            text.extend(take(&mut after));
        } else {
            text.push(byte);
        }
    }
    *rest = after;
    text
}

fn ends_word(byte: u8) -> bool {
    is_white(byte) || matches!(byte, b'(' | b'[' | b'"' | b'<' | b'>' | b';' | b':' | b'@' | b',' | b'.')
}

fn take(rest: &mut &[u8]) -> Option<u8> {
    let (byte, after) = rest.split_first()?;
    *rest = after;
    Some(*byte)
}

/// Writes tokens as a header field that ends in a newline.
pub fn write_field(tokens: &[Token<'_>]) -> Vec<u8> {
    let mut writer = BackwardWriter::default();
    tokens.iter().rev().for_each(|token| writer.put(token));
    writer.finish()
}

/// Writes a header field from its end to its beginning, which is how address lists are read.
///
/// The text is kept, not the tokens: those of a list of `a,a,a` would take sixty times the memory.
#[derive(Debug, Default)]
pub struct BackwardWriter {
    reversed: Vec<u8>,
    /// How much text stands to the right of each comma, in the order of writing.
    commas: Vec<usize>,
    right: Neighbour,
}

/// What a token is to its left neighbour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Neighbour {
    #[default]
    Nothing,
    Text,
    Less,
    Mark,
}

impl BackwardWriter {
    /// Puts a token to the left of what was written.
    pub fn put(&mut self, token: &Token<'_>) {
        if self.needs_space_after(token) {
            self.reversed.push(b' ');
        }
        self.right = match token {
            Token::Comma => {
                self.commas.push(self.reversed.len());
                Neighbour::Mark
            }
            Token::Less => Neighbour::Less,
            token if token.is_text() => Neighbour::Text,
            _ => Neighbour::Mark,
        };
        let mut text = Vec::new();
        token.write(&mut text);
        self.reversed.extend(text.iter().rev());
    }

    fn needs_space_after(&self, token: &Token<'_>) -> bool {
        match self.right {
            Neighbour::Nothing => false,
            Neighbour::Less => true,
            Neighbour::Text => token.is_text() || matches!(token, Token::Colon | Token::Comma),
            Neighbour::Mark => matches!(token, Token::Colon | Token::Comma),
        }
    }

    /// The field, folded, with a newline at its end.
    ///
    /// Lines are broken after commas only, so that no line with more than one address exceeds 78 bytes.
    /// Each line after the first begins with two spaces. A comma after a line that is already too long is
    /// followed by a line of one space, as the original does it.
    pub fn finish(mut self) -> Vec<u8> {
        self.reversed.reverse();
        let mut rest = self.reversed.as_slice();
        let mut field = Folded::default();
        for right in self.commas.iter().rev() {
            let chunk = rest.len().saturating_sub(*right);
            if let Some((chunk, after)) = rest.split_at_checked(chunk) {
                field.add(chunk);
                rest = after;
            }
        }
        field.add(rest);
        field.text.push(b'\n');
        field.text
    }
}

fn write_between(open: u8, text: &[u8], close: u8, line: &mut Vec<u8>) {
    line.push(open);
    write_escaped(text, line);
    line.push(close);
}

fn write_escaped(text: &[u8], line: &mut Vec<u8>) {
    for byte in text {
        if matches!(byte, b'"' | b'[' | b']' | b'(' | b')' | b'\\' | b'\r' | b'\n') {
            line.push(b'\\');
        }
        line.push(*byte);
    }
}

/// A field whose lines are filled with one chunk after the other.
#[derive(Default)]
struct Folded {
    text: Vec<u8>,
    line_length: usize,
    has_chunk: bool,
}

impl Folded {
    /// Adds a chunk, to the line if it fits there.
    fn add(&mut self, chunk: &[u8]) {
        let length = self.line_length.saturating_add(chunk.len());
        if self.has_chunk && length > LINE_LENGTH {
            self.text.extend_from_slice(b"\n ");
            self.line_length = chunk.len().saturating_add(1);
        } else {
            self.line_length = length;
        }
        self.has_chunk = true;
        self.text.extend_from_slice(chunk);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rewritten(text: &str) -> String {
        let tokens = lex(text.as_bytes()).unwrap();
        String::from_utf8_lossy(&write_field(&tokens)).into_owned()
    }

    #[test]
    fn every_kind_of_token_is_known() {
        let tokens = lex(b"a.b,@<>:;\"q \\\" x\"[1.2](c \\( (n))\t\r\n").unwrap();
        let expected = [
            Token::atom("a"),
            Token::Dot,
            Token::atom("b"),
            Token::Comma,
            Token::At,
            Token::Less,
            Token::Greater,
            Token::Colon,
            Token::Semicolon,
            Token::quoted("q \" x"),
            Token::Literal(Cow::Borrowed(b"1.2")),
            Token::comment("c ( n"),
        ];
        assert_eq!(tokens, expected);
    }

    #[test]
    fn what_has_no_end_or_no_beginning_is_malformed() {
        for text in ["\"a", "(a", "[a", "(a(b)", "\"a\\", "(a\\", "[\\", "a )", ")", "]", "a,]"] {
            assert_eq!(lex(text.as_bytes()), Err(Malformed), "{text}");
        }
    }

    #[test]
    fn a_word_with_bytes_that_need_quotes_is_a_quoted_string() {
        for text in [&b"a)"[..], b"a]", b"a\\\\b", b"\xe9", b"\x7f", b"a\\\n", b"\0"] {
            assert!(matches!(lex(text).unwrap().as_slice(), [Token::Quoted(_)]), "{text:?}");
        }
        assert_eq!(lex(b"a\\@b").unwrap(), [Token::atom("a@b")]);
        assert_eq!(lex(b"a\\ b c").unwrap(), [Token::atom("a b"), Token::atom("c")]);
    }

    #[test]
    fn a_backslash_at_the_very_end_of_a_word_counts_for_nothing() {
        assert_eq!(lex(b"a\\").unwrap(), [Token::atom("a")]);
        assert_eq!(lex(b"\\").unwrap(), [Token::atom("")]);
    }

    #[test]
    fn spaces_stand_where_words_would_run_together() {
        assert_eq!(rewritten("To :a  b"), "To: a b\n");
        assert_eq!(rewritten("A<b>(c) \"d\" [e]"), "A <b>(c) \"d\" [e]\n");
        assert_eq!(rewritten("a , b;c"), "a, b;c\n");
    }

    #[test]
    fn bytes_with_a_meaning_are_escaped_in_every_text() {
        assert_eq!(rewritten("\"a\\\"[(\\\\\""), "\"a\\\"\\[\\(\\\\\"\n");
        assert_eq!(rewritten("\"a\\\rb\""), "\"a\\\rb\"\n");
    }

    #[test]
    fn a_line_holds_78_bytes_with_its_comma_and_the_next_begins_with_two_spaces() {
        let word = |length: usize| "x".repeat(length);
        let fits = format!("T: {}, {}, c", word(36), word(36));
        assert_eq!(rewritten(&fits), format!("T: {}, {},\n  c\n", word(36), word(36)));
        let too_long = format!("T: {}, {}, c", word(36), word(37));
        assert_eq!(rewritten(&too_long), format!("T: {},\n  {}, c\n", word(36), word(37)));
    }

    #[test]
    fn a_comma_after_a_line_that_is_too_long_gives_a_line_of_one_space() {
        let long = "x".repeat(80);
        assert_eq!(rewritten(&format!("T: {long},")), format!("T: {long},\n \n"));
        assert_eq!(rewritten("T: a,"), "T: a,\n");
    }

    proptest! {
        #[test]
        fn any_bytes_are_tokens_or_malformed(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = lex(&text).map(|tokens| write_field(&tokens));
        }

        #[test]
        fn what_was_written_reads_as_the_same_tokens(text in "[ab.,@<>:;\"\\\\()\\[\\] \t\r\n\u{e9}]{0,40}") {
            if let Ok(tokens) = lex(text.as_bytes()) {
                // An empty word leaves no trace in what is written.
                prop_assume!(!tokens.contains(&Token::atom("")));
                prop_assume!(!has_word_that_cannot_be_written(&tokens));
                let written = write_field(&tokens);
                prop_assert_eq!(lex(&written), Ok(tokens));
            }
        }
    }

    /// A word with an escaped mark or blank is written without its backslash, as the original does it.
    fn has_word_that_cannot_be_written(tokens: &[Token<'_>]) -> bool {
        tokens.iter().any(|token| match token {
            Token::Atom(text) => text.iter().any(|byte| is_white(*byte) || Token::mark(*byte).is_some()),
            _ => false,
        })
    }
}
