//! Assignments: the table with which the administrator gives local addresses to users.
//!
//! The text, `users/assign`, has a line for each assignment and ends with a line that begins with a dot:
//!
//! ```text
//! =local:user:uid:gid:homedir:dash:ext:     exactly this address
//! +prefix:user:uid:gid:homedir:dash:pre:    each address that begins like this; the rest is added to `pre`
//! .
//! ```
//!
//! `qmail-newu` makes the database `users/cdb` of it, with these records, in the order of the lines:
//!
//! | key | data |
//! |---|---|
//! | `!` local NUL | user NUL uid NUL gid NUL homedir NUL dash NUL ext |
//! | `!` prefix | the same, with `pre` for `ext` |
//! | nothing | each byte with which some prefix ends |
//!
//! Keys are in lower case. The last record spares a lookup at places where no prefix ends.

use super::Controller;
use std::io;
use unix::cdb;

/// The text is not a table of assignments.
#[derive(Debug, PartialEq, Eq)]
pub struct BadFormat;

/// Why a text did not become a database.
#[derive(Debug)]
pub enum CompileError {
    /// It is not a table of assignments.
    BadFormat,
    /// The database cannot hold it.
    TooLarge(io::Error),
}

/// Makes the bytes of `users/cdb` from the text of `users/assign`.
pub fn compile(text: &[u8]) -> Result<Vec<u8>, CompileError> {
    let mut database = cdb::Builder::in_memory();
    let mut ends = Vec::new();
    for assignment in parse(text).map_err(|BadFormat| CompileError::BadFormat)? {
        if let Some(end) = assignment.prefix_end
            && !ends.contains(&end)
        {
            ends.push(end);
        }
        database.add(&assignment.key, &assignment.data).map_err(CompileError::TooLarge)?;
    }
    let finished = database.add(b"", &ends).and_then(|()| database.finish());
    finished.map(io::Cursor::into_inner).map_err(CompileError::TooLarge)
}

/// One line as a record.
struct Assignment {
    key: Vec<u8>,
    data: Vec<u8>,
    /// The last byte of a prefix, as it is written. Lookups do not see its case.
    prefix_end: Option<u8>,
}

/// A text without its final dot was cut off: nothing of it counts.
fn parse(text: &[u8]) -> Result<Vec<Assignment>, BadFormat> {
    let mut assignments = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b".") {
            return Ok(assignments);
        }
        assignments.push(parse_line(line.strip_suffix(b"\n").ok_or(BadFormat)?)?);
    }
    Err(BadFormat)
}

/// Only a `+` at the beginning is special; qmail-newu has always taken every other byte for a `=`.
fn parse_line(line: &[u8]) -> Result<Assignment, BadFormat> {
    if line.contains(&0) {
        return Err(BadFormat);
    }
    let mut fields = line.splitn(8, |byte| *byte == b':');
    let (kind, name) = fields.next().and_then(<[u8]>::split_first).ok_or(BadFormat)?;
    let data: Vec<&[u8]> = fields.by_ref().take(6).collect();
    // What follows the seventh colon does not count, but the colon has to be there.
    if data.len() < 6 || fields.next().is_none() {
        return Err(BadFormat);
    }
    let is_prefix = *kind == b'+';
    let end: &[u8] = if is_prefix { b"" } else { b"\0" };
    Ok(Assignment {
        key: [b"!", name, end].concat().to_ascii_lowercase(),
        data: data.join(&0),
        prefix_end: name.last().copied().filter(|_| is_prefix),
    })
}

/// Why a database gave no answer.
#[derive(Debug)]
pub enum LookupError {
    /// It could not be read, or is damaged.
    Unreadable(io::Error),
    /// It was not made by qmail-newu: the record of prefix ends is missing.
    NoPrefixEnds,
    /// A record does not have its six fields.
    BadRecord,
}

impl From<io::Error> for LookupError {
    fn from(error: io::Error) -> LookupError {
        LookupError::Unreadable(error)
    }
}

/// Which kind of line gives an address to a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// `=local:`
    Exact,
    /// `+prefix:`, where the prefix is so many bytes of the local part.
    Prefix(usize),
}

/// The user to whom the database gives a local part: by its exact line, else by the longest prefix.
///
/// The case of ASCII letters does not matter, also that of a prefix's last letter; the extension keeps it.
pub fn find(database: &cdb::Reader, local: &[u8]) -> Result<Option<(Controller, Line)>, LookupError> {
    let ends = database.get(b"")?.ok_or(LookupError::NoPrefixEnds)?.to_ascii_lowercase();
    let key = [b"!", local, b"\0"].concat().to_ascii_lowercase();
    if let Some(data) = database.get(&key)? {
        return Ok(Some((controller(&data, b"")?, Line::Exact)));
    }
    for length in (0..=local.len()).rev() {
        // `!` and a prefix of this length.
        let prefix = key.get(..length.saturating_add(1)).unwrap_or_default();
        if length > 0 && !prefix.last().is_some_and(|last| ends.contains(last)) {
            continue;
        }
        if let Some(data) = database.get(prefix)? {
            let controller = controller(&data, local.get(length..).unwrap_or_default())?;
            return Ok(Some((controller, Line::Prefix(length))));
        }
    }
    Ok(None)
}

fn controller(data: &[u8], rest: &[u8]) -> Result<Controller, LookupError> {
    Controller::decode(&[data, rest, b"\0"].concat()).ok_or(LookupError::BadRecord)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn open(bytes: &[u8]) -> cdb::Reader {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        cdb::Reader::new(file).unwrap()
    }

    fn find_in(text: &[u8], local: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let database = open(&compile(text).unwrap());
        find(&database, local).unwrap().map(|(controller, _)| (controller.user, controller.ext))
    }

    fn answer(user: &str, ext: &str) -> Option<(Vec<u8>, Vec<u8>)> {
        Some((user.into(), ext.into()))
    }

    const TABLE: &[u8] = b"=joe:joe:1:1:/joe:::\n+joe-:list:1:1:/l:-:pre-:\n+:alias:2:2:/a:-::\n\
        =joe-exact:exact:1:1:/e:::\n+endX:upper:1:1:/u:::\n.\nnot read";

    #[test]
    fn an_exact_line_beats_the_longest_prefix_and_that_beats_the_rest() {
        assert_eq!(find_in(TABLE, b"JOE"), answer("joe", ""));
        assert_eq!(find_in(TABLE, b"joe-Exact"), answer("exact", ""));
        assert_eq!(find_in(TABLE, b"joe-Other"), answer("list", "pre-Other"));
        assert_eq!(find_in(TABLE, b"joey"), answer("alias", "joey"));
        assert_eq!(find_in(TABLE, b""), answer("alias", ""));
    }

    #[test]
    fn the_line_that_decided_is_told() {
        let database = open(&compile(TABLE).unwrap());
        let line = |local: &[u8]| find(&database, local).unwrap().map(|(_, line)| line);
        assert_eq!(line(b"Joe"), Some(Line::Exact));
        assert_eq!(line(b"joe-x"), Some(Line::Prefix(4)));
        assert_eq!(line(b"x"), Some(Line::Prefix(0)));
    }

    #[test]
    fn a_prefix_that_ends_in_a_capital_matches_too() {
        assert_eq!(find_in(TABLE, b"endxyz"), answer("upper", "yz"));
    }

    #[test]
    fn without_a_line_for_it_an_address_is_nobodys() {
        assert_eq!(find_in(b"=joe:joe:1:1:/joe:::\n.\n", b"jim"), None);
        assert_eq!(find_in(b".\n", b"jim"), None);
    }

    #[test]
    fn each_kind_of_bad_line_is_refused() {
        let bad: [&[u8]; 8] = [
            b"",
            b"\n.\n",
            b"joe\n.\n",
            b":a:1:1:/h:::\n.\n",
            b"=a:a:1:1:/h::\n.\n",
            b"=a:a:1:1:/h:::\n",
            b"=a\0:a:1:1:/h:::\n.\n",
            b"=a:a:1:1:/h:::",
        ];
        for text in bad {
            assert!(matches!(compile(text), Err(CompileError::BadFormat)), "{text:?}");
        }
        assert!(compile(b"#a:a:1:1:/h:::ignored:x\n.").is_ok(), "a dot line needs no line end");
    }

    #[test]
    fn a_foreign_database_is_an_error_and_not_an_absent_user() {
        let mut foreign = cdb::Builder::in_memory();
        foreign.add(b"!joe\0", b"joe").unwrap();
        assert!(matches!(
            find(&open(foreign.finish().unwrap().get_ref()), b"joe"),
            Err(LookupError::NoPrefixEnds)
        ));
        let mut short = cdb::Builder::in_memory();
        short.add(b"!joe\0", b"joe\x001").unwrap();
        short.add(b"", b"").unwrap();
        assert!(matches!(
            find(&open(short.finish().unwrap().get_ref()), b"joe"),
            Err(LookupError::BadRecord)
        ));
    }

    /// The rule of the manual, without a database: (is a prefix, name, user).
    fn model(lines: &[(bool, String, String)], local: &str) -> Option<(String, String)> {
        let local_lower = local.to_ascii_lowercase();
        let exact =
            lines.iter().find(|(prefix, name, _)| !prefix && name.to_ascii_lowercase() == local_lower);
        if let Some((_, _, user)) = exact {
            return Some((user.clone(), String::new()));
        }
        let fits = |name: &str| local_lower.starts_with(&name.to_ascii_lowercase());
        let longest = lines
            .iter()
            .filter(|(prefix, name, _)| *prefix && fits(name))
            .map(|(_, name, _)| name.len())
            .max()?;
        let (_, _, user) =
            lines.iter().find(|(prefix, name, _)| *prefix && name.len() == longest && fits(name))?;
        Some((user.clone(), local[longest..].to_owned()))
    }

    proptest! {
        #[test]
        fn lookups_follow_the_rule_of_the_manual(
            lines in proptest::collection::vec((any::<bool>(), "[abA-]{0,4}", "[a-z]{1,3}"), 0..12),
            local in "[abAB-]{0,6}",
        ) {
            let mut text = String::new();
            for (prefix, name, user) in &lines {
                let kind = if *prefix { '+' } else { '=' };
                text.push_str(&format!("{kind}{name}:{user}:1:1:/h:-::\n"));
            }
            text.push_str(".\n");
            let expected = model(&lines, &local).map(|(user, ext)| (user.into_bytes(), ext.into_bytes()));
            prop_assert_eq!(find_in(text.as_bytes(), local.as_bytes()), expected);
        }

        #[test]
        fn no_text_makes_the_compiler_panic(text in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = compile(&text);
        }
    }
}
