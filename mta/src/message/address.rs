//! Lists of addresses in header fields, and how an incomplete address is completed. qmail-header(5).
//!
//! A list is read from right to left, which makes RFC 822's grammar simple: an address, a host and a missing
//! comma are all recognized by what stands to the right of them. Two things follow that users can see:
//! recipients come out in reverse order, and a comment inside a bare address moves to the right of it.

use super::quote;
use super::tokens::{self, BackwardWriter, Malformed, Token};

/// The fields of a list begin with two tokens that are no part of it: the name and the colon.
const NAME_AND_COLON: usize = 2;

/// Gives every address of a field to `rewrite`, from right to left, and writes the field with the result.
///
/// Missing commas are inserted. `rewrite` gets the tokens of one address, comments only if they stood
/// between `<` and `>`.
///
/// # Errors
/// A group or a `>` without its beginning, or no field at all. Addresses to the right of the trouble have been
/// given to `rewrite` by then.
pub fn rewrite_field<'a>(
    mut unread: Vec<Token<'a>>,
    rewrite: impl FnMut(&mut Vec<Token<'a>>),
) -> Result<Vec<u8>, Malformed> {
    if unread.len() < NAME_AND_COLON {
        return Err(Malformed);
    }
    let name_and_colon: Vec<Token<'a>> = unread.drain(..NAME_AND_COLON).collect();
    let mut list = List {
        unread,
        written: BackwardWriter::default(),
        address: Vec::new(),
        in_group: false,
        word_continues: true,
        rewrite,
    };
    while let Some(token) = list.unread.pop() {
        list.read(token)?;
    }
    list.finish_address();
    name_and_colon.iter().rev().for_each(|token| list.written.put(token));
    Ok(list.written.finish())
}

/// A list that is being read from its end to its beginning.
struct List<'a, F> {
    /// What was not read yet; its last token is the next one.
    unread: Vec<Token<'a>>,
    /// What was read, with addresses rewritten, from right to left.
    written: BackwardWriter,
    /// The address that is being read, from right to left.
    address: Vec<Token<'a>>,
    in_group: bool,
    /// Whether a word to the left still belongs to the same address.
    word_continues: bool,
    rewrite: F,
}

impl<'a, F: FnMut(&mut Vec<Token<'a>>)> List<'a, F> {
    fn read(&mut self, token: Token<'a>) -> Result<(), Malformed> {
        match token {
            Token::Semicolon => self.group_ends(),
            Token::Colon => self.group_begins(),
            Token::Greater => self.route_address(),
            Token::Comma => {
                self.finish_address();
                self.word_continues = true;
                self.written.put(&Token::Comma);
                Ok(())
            }
            Token::Comment(_) => {
                self.written.put(&token);
                Ok(())
            }
            Token::Atom(_) | Token::Quoted(_) | Token::Literal(_) => {
                if !self.word_continues {
                    self.finish_address_with_comma();
                }
                self.word_continues = false;
                self.address.push(token);
                Ok(())
            }
            Token::Dot | Token::At | Token::Less => {
                self.word_continues = true;
                self.address.push(token);
                Ok(())
            }
        }
    }

    /// `;`, which comes before the rest of its group.
    fn group_ends(&mut self) -> Result<(), Malformed> {
        self.finish_address_with_comma();
        if self.in_group {
            return Err(Malformed);
        }
        self.in_group = true;
        self.word_continues = true;
        self.written.put(&Token::Semicolon);
        Ok(())
    }

    /// `:`, to the left of which stands the name of the group.
    fn group_begins(&mut self) -> Result<(), Malformed> {
        self.finish_address();
        if !self.in_group {
            return Err(Malformed);
        }
        self.in_group = false;
        self.word_continues = true;
        self.written.put(&Token::Colon);
        while let Some(token) = self.unread.pop() {
            let before_group = token == Token::Comma;
            self.written.put(&token);
            if before_group {
                break;
            }
        }
        Ok(())
    }

    /// `phrase <address>`. The address counts even if it is empty.
    fn route_address(&mut self) -> Result<(), Malformed> {
        self.finish_address_with_comma();
        self.written.put(&Token::Greater);
        let mut begins = false;
        while let Some(token) = self.unread.pop() {
            if token == Token::Less {
                begins = true;
                break;
            }
            self.address.push(token);
        }
        self.take_address();
        if !begins {
            return Err(Malformed);
        }
        self.written.put(&Token::Less);
        while let Some(token) = self.unread.pop_if(|token| is_of_phrase(token)) {
            self.written.put(&token);
        }
        self.word_continues = false;
        Ok(())
    }

    fn finish_address_with_comma(&mut self) {
        if !self.address.is_empty() {
            self.take_address();
            self.written.put(&Token::Comma);
        }
    }

    fn finish_address(&mut self) {
        if !self.address.is_empty() {
            self.take_address();
        }
    }

    fn take_address(&mut self) {
        self.address.reverse();
        (self.rewrite)(&mut self.address);
        self.address.drain(..).rev().for_each(|token| self.written.put(&token));
    }
}

/// What may stand before `<`.
fn is_of_phrase(token: &Token<'_>) -> bool {
    matches!(token, Token::Comment(_) | Token::Atom(_) | Token::Quoted(_) | Token::At | Token::Dot)
}

/// The address as it stands in an envelope: without comments, quotes and backslashes.
pub fn value(address: &[Token<'_>]) -> Vec<u8> {
    let mut value = Vec::new();
    for token in address {
        match token {
            Token::Dot => value.push(b'.'),
            Token::Comma => value.push(b','),
            Token::At => value.push(b'@'),
            Token::Less => value.push(b'<'),
            Token::Greater => value.push(b'>'),
            Token::Colon => value.push(b':'),
            Token::Semicolon => value.push(b';'),
            Token::Atom(text) | Token::Quoted(text) => value.extend_from_slice(text),
            Token::Literal(text) => {
                value.push(b'[');
                value.extend_from_slice(text);
                value.push(b']');
            }
            Token::Comment(_) => {}
        }
    }
    value
}

/// What incomplete addresses are completed with.
#[derive(Clone, Debug)]
pub struct Completion {
    default_host: Vec<Token<'static>>,
    plus_domain: Vec<Token<'static>>,
    default_domain: Vec<Token<'static>>,
}

/// A value that addresses would have been completed with, and that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadCompletion {
    /// The value, with the mark that goes before it.
    pub text: Vec<u8>,
}

impl Completion {
    /// `default_host` follows a local part without `@`; `plus_domain` takes the place of a `+` at the end
    /// of a host; `default_domain` follows a host without dot.
    pub fn new(
        default_host: &[u8],
        plus_domain: &[u8],
        default_domain: &[u8],
    ) -> Result<Completion, BadCompletion> {
        Ok(Completion {
            default_host: lex_after(b'@', default_host)?,
            plus_domain: lex_after(b'.', plus_domain)?,
            default_domain: lex_after(b'.', default_domain)?,
        })
    }

    /// Completes one address: source routes, a dot and an `@` at the end go; host and domain are added.
    ///
    /// An empty address stays empty, and `…@[]` (bounces of bounces, lists that want the recipient in the
    /// sender) stays as it is. Local parts are never changed.
    pub fn rewrite<'a>(&'a self, address: &mut Vec<Token<'a>>) {
        if let [.., Token::At, Token::Literal(text)] = address.as_slice()
            && text.is_empty()
        {
            return;
        }
        drop_source_route(address);
        address.pop_if(|last| *last == Token::Dot);
        address.pop_if(|last| *last == Token::At);
        if address.is_empty() {
            return;
        }
        if !address.contains(&Token::At) {
            address.extend(self.default_host.iter().map(Token::share));
        }
        if take_plus(address) {
            address.extend(self.plus_domain.iter().map(Token::share));
        }
        if !has_full_host(address) {
            address.extend(self.default_domain.iter().map(Token::share));
        }
    }

    /// Completes an address that was given by itself, not in a field, with nothing quoted: an argument.
    pub fn rewrite_argument(&self, argument: &[u8]) -> Result<Vec<u8>, Malformed> {
        let quoted = quote::address(argument);
        let mut address = tokens::lex(&quoted)?;
        self.rewrite(&mut address);
        Ok(value(&address))
    }
}

fn lex_after(mark: u8, text: &[u8]) -> Result<Vec<Token<'static>>, BadCompletion> {
    let text = [&[mark][..], text].concat();
    match tokens::lex(&text) {
        Ok(tokens) => Ok(tokens.into_iter().map(Token::into_owned).collect()),
        Err(Malformed) => Err(BadCompletion { text }),
    }
}

/// `@relay,@relay:address` becomes `address`; without a colon there is no address.
fn drop_source_route(address: &mut Vec<Token<'_>>) {
    if address.first() == Some(&Token::At) {
        let colon = address.iter().position(|token| *token == Token::Colon);
        address.drain(..colon.map_or(address.len(), |at| at.saturating_add(1)));
    }
}

/// Takes the `+` off a last word that ends in one.
fn take_plus(address: &mut [Token<'_>]) -> bool {
    let Some(Token::Atom(text)) = address.last_mut() else { return false };
    if text.last() != Some(&b'+') {
        return false;
    }
    text.to_mut().pop();
    true
}

/// Whether what follows the last `@` has a dot or is a literal. Dots inside quotes do not count.
fn has_full_host(address: &[Token<'_>]) -> bool {
    let host = address.iter().rev().take_while(|token| **token != Token::At);
    host.into_iter().any(|token| matches!(token, Token::Dot | Token::Literal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn completion() -> Completion {
        Completion::new(b"mx.example.org", b"mx.example.org", b"mx.example.org").unwrap()
    }

    /// The field as it is passed on (without its name), and the recipients in the order in which they are met.
    fn to(list: &str) -> (String, Vec<String>) {
        let text = |bytes: &[u8]| bytes.iter().copied().map(char::from).collect::<String>();
        let field: Vec<u8> = format!("To: {list}\n").chars().map(|c| u8::try_from(c).unwrap()).collect();
        let completion = completion();
        let mut recipients = Vec::new();
        let result = tokens::lex(&field).and_then(|tokens| {
            rewrite_field(tokens, |address| {
                completion.rewrite(address);
                recipients.push(text(&value(address)));
            })
        });
        let written = text(&result.unwrap_or(field.clone()));
        let shown = written.strip_prefix("To:").unwrap().trim_start().trim_end_matches('\n');
        (
            shown.replace("mx.example.org", "M"),
            recipients.iter().map(|r| r.replace("mx.example.org", "M")).collect(),
        )
    }

    fn assert_rows(rows: &[(&str, &str, &[&str])]) {
        for (list, written, recipients) in rows {
            assert_eq!(
                to(list),
                (written.to_string(), recipients.iter().map(|r| r.to_string()).collect()),
                "{list}"
            );
        }
    }

    #[test]
    fn hosts_are_completed() {
        assert_rows(&[
            ("a", "a@M", &["a@M"]),
            ("a@b", "a@b.M", &["a@b.M"]),
            ("a@b.c", "a@b.c", &["a@b.c"]),
            ("a@b+", "a@b.M", &["a@b.M"]),
            ("a@b.c+", "a@b.c.M", &["a@b.c.M"]),
            ("a+", "a+@M", &["a+@M"]),
            ("joe@+", "joe@.M", &["joe@.M"]),
            ("a@", "a@M", &["a@M"]),
            ("a@b.", "a@b.M", &["a@b.M"]),
            ("a@b..", "a@b.", &["a@b."]),
            ("a@.b", "a@.b", &["a@.b"]),
            ("a@[1.2.3.4]", "a@[1.2.3.4]", &["a@[1.2.3.4]"]),
            ("a@[]", "a@[]", &["a@[]"]),
            ("a@b@c", "a@b@c.M", &["a@b@c.M"]),
            ("A. B. <c@d.e>", "A.B. <c@d.e>", &["c@d.e"]),
        ]);
    }

    #[test]
    fn empty_addresses_and_source_routes() {
        assert_rows(&[
            ("@", "", &[""]),
            ("@a", "", &[""]),
            ("@a@b", "", &[""]),
            (".", "", &[""]),
            ("<>", "<>", &[""]),
            ("A B <>", "A B <>", &[""]),
            ("<@b:a@c>", "<a@c.M>", &["a@c.M"]),
            ("<@a,@b:c>", "<c@M>", &["c@M"]),
            ("", "", &[]),
        ]);
    }

    #[test]
    fn commas_are_inserted_where_they_are_missing() {
        assert_rows(&[
            ("a b", "a@M, b@M", &["b@M", "a@M"]),
            ("A B <c@d>, E <f>", "A B <c@d.M>, E <f@M>", &["f@M", "c@d.M"]),
            ("a<b>c", "a <b@M>, c@M", &["c@M", "b@M"]),
            ("<a> <b>", "<a@M> <b@M>", &["b@M", "a@M"]),
            ("a <b@c> d <e>", "a <b@c.M>d <e@M>", &["e@M", "b@c.M"]),
            ("a,,b", "a@M, , b@M", &["b@M", "a@M"]),
            (",a", ", a@M", &["a@M"]),
        ]);
    }

    #[test]
    fn groups() {
        assert_rows(&[
            ("grp: a, b@c; , d", "grp: a@M, b@c.M;, d@M", &["d@M", "b@c.M", "a@M"]),
            ("grp:;", "grp: ;", &[]),
            ("grp: a; b", "grp: a@M;, b@M", &["b@M", "a@M"]),
            ("a;", "a@M;", &["a@M"]),
            ("a:b", "a:b", &["b@M"]),
            ("a: b: c;;", "a: b: c;;", &[]),
        ]);
    }

    #[test]
    fn what_cannot_be_read_is_passed_on_and_recipients_met_before_it_stay() {
        assert_rows(&[
            ("\"a", "\"a", &[]),
            ("(a", "(a", &[]),
            ("[a", "[a", &[]),
            ("a (x", "a (x", &[]),
            ("a>", "a>", &["a@M"]),
            ("<a", "<a@M", &["<a@M"]),
            ("a:b", "a:b", &["b@M"]),
            ("b, (", "b, (", &[]),
        ]);
    }

    #[test]
    fn comments_move_to_the_right_of_a_bare_address_and_stay_between_angle_brackets() {
        assert_rows(&[
            ("x (c) @ y", "x@y.M (c)", &["x@y.M"]),
            ("(c) x@y", "x@y.M (c)", &["x@y.M"]),
            ("a(b)c@d", "a@M, c@d.M (b)", &["c@d.M", "a@M"]),
            ("a@b (c) d@e", "a@b.M, d@e.M (c)", &["d@e.M", "a@b.M"]),
            ("<a@b(x)>", "<a@b (x).M>", &["a@b.M"]),
        ]);
    }

    #[test]
    fn quoted_strings_and_literals() {
        assert_rows(&[
            ("a)", "\"a\\)\"@M", &["a)@M"]),
            ("\"a\"\"b\"@c", "\"a\"@M, \"b\"@c.M", &["b@c.M", "a@M"]),
            ("\"a b\"@c", "\"a b\"@c.M", &["a b@c.M"]),
            ("<a b>", "<a b@M>", &["ab@M"]),
            ("<a,b>", "<a, b@M>", &["a,b@M"]),
            ("[a]@b", "[a]@b.M", &["[a]@b.M"]),
            ("[x] <a@b>", "[x]@M <a@b.M>", &["a@b.M", "[x]@M"]),
            ("a\\ b@c", "a b@c.M", &["a b@c.M"]),
            ("a\\@b@c", "a@b@c.M", &["a@b@c.M"]),
            ("A\\,B <c>", "A,B <c@M>", &["c@M"]),
            ("a\\", "\"a\\\n\"@M", &["a\n@M"]),
            ("\u{e9}", "\"\u{e9}\"@M", &["\u{e9}@M"]),
        ]);
    }

    #[test]
    fn an_argument_is_one_address_whatever_it_holds() {
        let rows = [
            ("y z", "y z@mx.example.org"),
            ("<y>", "<y>@mx.example.org"),
            ("a,b", "a,b@mx.example.org"),
            ("x@y z", "x@yz.mx.example.org"),
            ("x@b,c", "x@b,c.mx.example.org"),
            ("", ""),
            ("#@[]", "#@[]"),
            ("list-@host-@[]", "list-@host-@[]"),
        ];
        for (argument, expected) in rows {
            let value = completion().rewrite_argument(argument.as_bytes());
            assert_eq!(value.as_deref(), Ok(expected.as_bytes()), "{argument}");
        }
        assert_eq!(completion().rewrite_argument(b"a@(b"), Err(Malformed));
    }

    #[test]
    fn a_completion_that_cannot_be_read_is_named_with_its_mark() {
        let refused = Completion::new(b"(", b"", b"").unwrap_err();
        assert_eq!(refused.text, b"@(");
    }

    #[test]
    fn an_empty_default_host_leaves_a_host_that_consists_of_the_domain() {
        let completion = Completion::new(b"", b"", b"mx.example.org").unwrap();
        assert_eq!(completion.rewrite_argument(b"joe").unwrap(), b"joe@.mx.example.org");
    }

    proptest! {
        #[test]
        fn any_field_is_rewritten_or_malformed(text in proptest::collection::vec(any::<u8>(), 0..120)) {
            let completion = completion();
            let field = [b"To:", text.as_slice()].concat();
            let _ = tokens::lex(&field)
                .and_then(|tokens| rewrite_field(tokens, |address| completion.rewrite(address)));
        }

        #[test]
        fn a_list_of_plain_addresses_is_complete_after_one_rewriting(
            list in proptest::collection::vec(
                "[a-z]{1,3}|[a-z]{1,3}@[a-z]{1,3}|[a-z]{1,3}@[a-z]{1,3}\\.[a-z]{1,3}|[B-L]{1,4} <[a-z]{1,3}@[a-z]{1,9}>\
                 |[a-z]{1,3}@[a-z]{1,3}\\+|\"[a-z .@]{0,5}\"@[a-z]|[a-z]@\\[[0-9.]{1,5}\\]|[a-z] \\([a-z ]{0,9}\\)",
                0..9,
            )
        ) {
            let once = to(&list.join(", "));
            prop_assert_eq!(to(&once.0.replace('M', "mx.example.org")), once);
        }

        #[test]
        fn what_is_written_names_every_recipient(list in "[ab.,@<>:; ]{0,20}") {
            let (written, recipients) = to(&list);
            if written != list.trim_start() {
                for recipient in recipients {
                    let plain = |text: &str| text.replace([' ', '\n'], "");
                    prop_assert!(plain(&written).contains(&plain(&recipient)), "{written}: {recipient}");
                }
            }
        }
    }
}
