//! A line of addresses, as `.forward`, `/etc/aliases` and lists have them: RFC 822's address list, read leniently.

use crate::message::address;
use crate::message::tokens::{self, Malformed, Token};

/// What a line names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// An address, which may be empty.
    Address(Listed),
    /// `:include:NAME`: the addresses in a file. The name may be empty.
    Include(Vec<u8>),
}

/// An address without quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its text.
    pub text: Vec<u8>,
    /// Whether it has an `@` that was not quoted: then what follows the last `@` is a host.
    pub has_host: bool,
}

/// What a line names, from right to left.
///
/// Commas and the beginning of another word end an address; between `<` and `>` is one, and the words before it are
/// somebody's name. Comments, colons and semicolons count for nothing. With `includes`, `:include:` before an address makes it
/// the name of a file; otherwise `include` is an address like any other.
///
/// # Errors
/// A comment, quoted string or `>` without its beginning or end.
pub fn items(line: &[u8], includes: bool) -> Result<Vec<Item>, Malformed> {
    let mut unread = tokens::lex(line)?;
    let mut found = Found::default();
    let mut word_continues = true;
    while let Some(token) = unread.pop() {
        match token {
            Token::Colon if includes && takes_include(&mut unread) => {
                found.include();
                word_continues = true;
            }
            Token::Comment(_) | Token::Colon | Token::Semicolon => {}
            Token::Comma => {
                found.finish();
                word_continues = true;
            }
            Token::Greater => {
                found.finish();
                found.bracketed(&mut unread)?;
                word_continues = false;
            }
            Token::Atom(_) | Token::Quoted(_) | Token::Literal(_) => {
                if !word_continues {
                    found.finish();
                }
                word_continues = false;
                found.address.push(token);
            }
            Token::At | Token::Dot | Token::Less => {
                word_continues = true;
                found.address.push(token);
            }
        }
    }
    found.finish();
    Ok(found.items)
}

/// Takes `:include` if that is what comes next; its second colon was taken already.
fn takes_include(unread: &mut Vec<Token<'_>>) -> bool {
    let [.., Token::Colon, Token::Atom(word)] = unread.as_slice() else { return false };
    if word.as_ref() != b"include" {
        return false;
    }
    unread.truncate(unread.len().saturating_sub(2));
    true
}

/// What was read so far.
#[derive(Default)]
struct Found<'a> {
    items: Vec<Item>,
    /// The address that is being read, from right to left.
    address: Vec<Token<'a>>,
}

impl<'a> Found<'a> {
    fn finish(&mut self) {
        if !self.address.is_empty() {
            let address = self.take();
            self.items.push(Item::Address(address));
        }
    }

    fn include(&mut self) {
        let name = self.take().text;
        self.items.push(Item::Include(name));
    }

    fn take(&mut self) -> Listed {
        self.address.reverse();
        let has_host = self.address.contains(&Token::At);
        let text = address::value(&self.address);
        self.address.clear();
        Listed { text, has_host }
    }

    /// `name <address>`, from before its `>`. It counts even if it is empty.
    fn bracketed(&mut self, unread: &mut Vec<Token<'a>>) -> Result<(), Malformed> {
        loop {
            match unread.pop().ok_or(Malformed)? {
                Token::Less => break,
                token => self.address.push(token),
            }
        }
        let address = self.take();
        self.items.push(Item::Address(address));
        let is_name = |token: &Token<'_>| {
            matches!(token, Token::Comment(_) | Token::Atom(_) | Token::Quoted(_) | Token::At | Token::Dot)
        };
        while unread.pop_if(|token| is_name(token)).is_some() {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str, includes: bool) -> Option<Vec<String>> {
        let items = items(line.as_bytes(), includes).ok()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some(
            items
                .iter()
                .map(|item| match item {
                    Item::Address(Listed { text: address, has_host: true }) => text(address),
                    Item::Address(Listed { text: address, has_host: false }) => format!("{}!", text(address)),
                    Item::Include(name) => format!("include {}", text(name)),
                })
                .collect(),
        )
    }

    #[test]
    fn addresses_come_from_right_to_left_each_for_itself() {
        for (line, expected) in [
            ("a, b c d\n", &["d!", "c!", "b!", "a!"][..]),
            ("a <b@c> d", &["d!", "b@c"]),
            ("A. B. (x) <c@d>, \"e f\"@g", &["e f@g", "c@d"]),
            ("grp: a@b;", &["a@b", "grp!"]),
            ("g: a, b; c;.d", &["c.d!", "b!", "a!", "g!"]),
            ("<@r1:u@d.e>", &["@r1:u@d.e"]),
            ("@r1,@r2:u@d", &["u@d", "@r2", "@r1"]),
            ("<a", &["<a!"]),
            ("a <b <c>", &["c!", "a<!"]),
            ("<a>b>", &["a>b!"]),
            ("<> \"\" ()", &["!", "!"]),
            ("\"a@b\"", &["a@b!"]),
            ("x@[1.2]", &["x@[1.2]"]),
            (":include:/x", &["/x!", "include!"]),
        ] {
            let expected: Vec<String> = expected.iter().map(|item| item.to_string()).collect();
            assert_eq!(shown(line, false), Some(expected), "{line}");
        }
        for line in ["a>", "(x", "\"x", "a )", "[x"] {
            assert_eq!(shown(line, false), None, "{line}");
        }
    }

    #[test]
    fn an_include_is_what_stands_behind_its_second_colon() {
        for (line, expected) in [
            ("c :include:x, d", &["d!", "include x", "c!"][..]),
            (": include : x.y", &["include x.y"]),
            (":include:\"a b\"", &["include a b"]),
            (":include:/x;y", &["y!", "include /x"]),
            (":include:/a b", &["b!", "include /a"]),
            (":include:<x>", &["x!", "include "]),
            (":include:", &["include "]),
            (":Include:x", &["x!", "Include!"]),
            (":\"include\":x", &["x!", "include!"]),
            ("\":include:x\"", &[":include:x!"]),
        ] {
            let expected: Vec<String> = expected.iter().map(|item| item.to_string()).collect();
            assert_eq!(shown(line, true), Some(expected), "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_line_is_read_or_malformed(line in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80)) {
            let _ = items(&line, true);
        }
    }
}
