//! One line of a rules file (tcprules(8)): the keys that it stands for, and the data that they get.

use crate::rules::block::Block;
use crate::rules::ipv6;
use std::borrow::Cow;
use unix::number;

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A comment, or nothing but blanks.
    Blank,
    /// Text without a colon. It has never had a meaning, nor been an error.
    WithoutColon,
    /// A rule.
    Rule(Rule<'a>),
}

/// A rule: an address and what is to be done with those who connect from it.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule<'a> {
    address: Address<'a>,
    /// The instructions as the database has them: `D` for deny, `+NAME=value` for a variable, each ended by NUL.
    pub data: Vec<u8>,
}

/// The line says something that is not a rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

#[derive(Debug, PartialEq, Eq)]
enum Address<'a> {
    One(Cow<'a, [u8]>),
    /// Addresses that share their first bits.
    Block(Block),
    /// `before`, a number from `low` to `high`, `after`.
    Range {
        before: &'a [u8],
        low: u64,
        high: u64,
        after: &'a [u8],
    },
}

/// The line without the blanks and the newline at its end. Blanks at its start belong to the address.
pub fn trim_end(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|byte| !matches!(byte, b' ' | b'\t' | b'\n'));
    let length = end.map_or(0, |last| last.saturating_add(1));
    line.split_at_checked(length).map_or(line, |(kept, _)| kept)
}

/// Reads one line, which has been trimmed.
///
/// The address ends at the first colon. Where that gives no rule it ends at the first colon that `allow` or
/// `deny` follows, and must be an IPv6 address or prefix: so every line of before keeps its meaning.
pub fn parse(line: &[u8]) -> Result<Line<'_>, Malformed> {
    if line.is_empty() || line.starts_with(b"#") {
        return Ok(Line::Blank);
    }
    // In the database a NUL ends an item: what follows would be another instruction, or a key that nobody has.
    if line.contains(&0) {
        return Err(Malformed);
    }
    let Some((address, rest)) = split_at_colon(line, 0) else { return Ok(Line::WithoutColon) };
    if let Ok(data) = instructions(rest) {
        return Ok(Line::Rule(Rule { address: plain_address(address)?, data }));
    }
    let (address, rest) = split_before_instruction(line).ok_or(Malformed)?;
    let data = instructions(rest)?;
    let address = match Block::parse(address) {
        Some(block) => Address::Block(block),
        None => Address::One(ipv6_address(address)?.into()),
    };
    Ok(Line::Rule(Rule { address, data }))
}

fn split_at_colon(line: &[u8], from: usize) -> Option<(&[u8], &[u8])> {
    let (_, rest) = line.split_at_checked(from)?;
    let at = rest.iter().position(|byte| *byte == b':')?.saturating_add(from);
    let (before, after) = line.split_at_checked(at)?;
    Some((before, after.strip_prefix(b":")?))
}

fn split_before_instruction(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut from = 0;
    loop {
        let (before, after) = split_at_colon(line, from)?;
        if after.starts_with(b"allow") || after.starts_with(b"deny") {
            return Some((before, after));
        }
        from = before.len().saturating_add(1);
    }
}

/// `allow` or `deny`, then any number of `,NAME=qVALUEq` where q is whatever byte comes first.
fn instructions(text: &[u8]) -> Result<Vec<u8>, Malformed> {
    // The data are never longer than the text.
    let mut data = Vec::with_capacity(text.len());
    let mut rest = if let Some(rest) = text.strip_prefix(b"deny") {
        data.extend_from_slice(b"D\0");
        rest
    } else {
        text.strip_prefix(b"allow").ok_or(Malformed)?
    };
    while !rest.is_empty() {
        rest = variable(rest.strip_prefix(b",").ok_or(Malformed)?, &mut data)?;
    }
    Ok(data)
}

fn variable<'a>(text: &'a [u8], data: &mut Vec<u8>) -> Result<&'a [u8], Malformed> {
    let (name, quoted) = split_once(text, b'=').ok_or(Malformed)?;
    let (quote, inner) = quoted.split_first().ok_or(Malformed)?;
    let (value, rest) = split_once(inner, *quote).ok_or(Malformed)?;
    for part in [&b"+"[..], name, b"=", value, b"\0"] {
        data.extend_from_slice(part);
    }
    Ok(rest)
}

fn split_once(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == separator)?;
    let (before, after) = text.split_at_checked(at)?;
    Some((before, after.strip_prefix(&[separator])?))
}

/// An address without colons. A `/` makes a block and a `-` a range of numbers, unless there is a name in the address.
fn plain_address(text: &[u8]) -> Result<Address<'_>, Malformed> {
    let one = Address::One(text.into());
    // Most are none of the others.
    if !text.iter().any(|byte| matches!(byte, b'=' | b'@' | b'/' | b'-')) {
        return Ok(one);
    }
    if text.contains(&b'=') || text.contains(&b'@') {
        return Ok(one);
    }
    if text.contains(&b'/') {
        return Block::parse(text).map(Address::Block).ok_or(Malformed);
    }
    let Some((up_to_low, from_high)) = split_once(text, b'-') else { return Ok(one) };
    let low_at = up_to_low.iter().rposition(|byte| *byte == b'.').map_or(0, |dot| dot.saturating_add(1));
    let high_length = from_high.iter().position(|byte| *byte == b'.').unwrap_or(from_high.len());
    let (before, low) = up_to_low.split_at_checked(low_at).ok_or(Malformed)?;
    let (high, after) = from_high.split_at_checked(high_length).ok_or(Malformed)?;
    Ok(Address::Range { before, low: range_end(low)?, high: range_end(high)?.min(255), after })
}

/// A number of a range; nothing at all is 0.
fn range_end(text: &[u8]) -> Result<u64, Malformed> {
    let (value, length) = number::scan(text);
    if length == text.len() { Ok(value) } else { Err(Malformed) }
}

/// An IPv6 address or prefix, with a user and `@` before it or without.
fn ipv6_address(text: &[u8]) -> Result<Vec<u8>, Malformed> {
    let at = text.iter().rposition(|byte| *byte == b'@').map_or(0, |at| at.saturating_add(1));
    let (user, address) = text.split_at_checked(at).ok_or(Malformed)?;
    let key = ipv6::canonical(address).or_else(|| ipv6::canonical_prefix(address)).ok_or(Malformed)?;
    Ok([user, &key].concat())
}

impl Rule<'_> {
    /// The block that the rule is for, if it is for one.
    pub fn block(&self) -> Option<Block> {
        match self.address {
            Address::Block(block) => Some(block),
            Address::One(_) | Address::Range { .. } => None,
        }
    }

    /// Calls `add` with each key that the rule stands for: one, or one for each number of a range (none if its
    /// ends are the wrong way round).
    pub fn each_key<E>(&self, mut add: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        match &self.address {
            Address::One(key) => add(key),
            Address::Block(block) => add(&block.key()),
            Address::Range { before, low, high, after } => (*low..=*high)
                .try_for_each(|number| add(&[before, number.to_string().as_bytes(), after].concat())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(line: &str) -> Option<(Vec<String>, String)> {
        match parse(trim_end(line.as_bytes())) {
            Ok(Line::Rule(rule)) => {
                let mut keys = Vec::new();
                rule.each_key(|key| {
                    keys.push(String::from_utf8_lossy(key).into_owned());
                    Ok::<(), ()>(())
                })
                .unwrap();
                Some((keys, String::from_utf8_lossy(&rule.data).into_owned()))
            }
            Ok(other) => panic!("{line}: {other:?}"),
            Err(Malformed) => None,
        }
    }

    fn keys(line: &str) -> Vec<String> {
        rule(line).unwrap_or_else(|| panic!("{line}")).0
    }

    fn data(line: &str) -> String {
        rule(line).unwrap_or_else(|| panic!("{line}")).1
    }

    #[test]
    fn comments_blanks_and_lines_without_colon_are_no_rules() {
        assert_eq!(parse(b"# 1.2.3.4:deny"), Ok(Line::Blank));
        assert_eq!(parse(trim_end(b" \t \n")), Ok(Line::Blank));
        assert_eq!(parse(b"1.2.3.4"), Ok(Line::WithoutColon));
    }

    #[test]
    fn instructions_become_items_that_end_in_nul() {
        assert_eq!(data("1.2.3.4:allow"), "");
        assert_eq!(data(":deny \t\n"), "D\0");
        assert_eq!(data("1.:allow,RELAYCLIENT=\"\",A=/b:,c/"), "+RELAYCLIENT=\0+A=b:,c\0");
        assert_eq!(data("1.:deny,=xx"), "D\0+=\0");
    }

    #[test]
    fn what_follows_the_instruction_must_be_variables() {
        for line in [
            "1:allow,A=\"\0D\"",
            "1\0:deny",
            "1:denyx",
            "1:allow X",
            "1: allow",
            "1:allow,",
            "1:allow,X=",
            "1:allow,X=\"a",
            "1:",
            "1:DENY",
        ] {
            assert_eq!(rule(line), None, "{line}");
        }
    }

    #[test]
    fn a_dash_makes_a_range() {
        assert_eq!(
            keys("1.2.3.250-300:deny"),
            ["250", "251", "252", "253", "254", "255"].map(|n| format!("1.2.3.{n}"))
        );
        assert_eq!(keys("1.2-3.4:deny"), ["1.2.4", "1.3.4"]);
        assert_eq!(keys("10.-1:deny"), ["10.0", "10.1"]);
        assert_eq!(keys("1-2.3-4:deny"), ["1.3-4", "2.3-4"]);
        assert_eq!(keys("1.9-8:deny"), [""; 0]);
        assert_eq!(rule("1.2-3-4:deny"), None);
        assert_eq!(rule("a-b:deny"), None);
    }

    #[test]
    fn names_and_users_are_taken_as_they_are() {
        assert_eq!(keys("joe@1.2.3.1-2:allow"), ["joe@1.2.3.1-2"]);
        assert_eq!(keys("=foo-bar.com:allow"), ["=foo-bar.com"]);
        assert_eq!(keys(" 1.2.3.4:allow"), [" 1.2.3.4"]);
    }

    #[test]
    fn a_slash_makes_a_block_of_addresses() {
        assert_eq!(keys("10.0.0.0/8:allow"), ["/4/8/0a000000"]);
        assert_eq!(keys("2001:db8::/32:deny"), ["/6/32/20010db8000000000000000000000000"]);
        assert_eq!(keys("::/0:deny"), ["/6/0/00000000000000000000000000000000"]);
        for line in ["10.0.0.1/8:allow", "10.0.0.0/33:allow", "10.0.0-1.0/24:allow", "a/b:deny", "::1/8:deny"]
        {
            assert_eq!(rule(line), None, "{line}");
        }
    }

    #[test]
    fn ipv6_addresses_get_their_one_spelling() {
        assert_eq!(keys("::1:allow,RELAYCLIENT=\"\""), ["::1"]);
        assert_eq!(keys("2001:DB8:0:0::5:deny"), ["2001:db8::5"]);
        assert_eq!(keys("2001:0db8::deny"), ["2001:db8:"]);
        assert_eq!(keys("2001:db8:::deny"), ["2001:db8::"]);
        assert_eq!(keys("joe@2001:DB8::5:allow"), ["joe@2001:db8::5"]);
        assert_eq!(data("::1:allow,A=\":deny\""), "+A=:deny\0");
    }

    #[test]
    fn text_with_colons_that_is_no_ipv6_address_is_malformed() {
        for line in ["foo:bar:allow", "::deny", "2001:db8::1::allow", "1.2.3.4:x:allow", "::g:allow"] {
            assert_eq!(rule(line), None, "{line}");
        }
    }
}
