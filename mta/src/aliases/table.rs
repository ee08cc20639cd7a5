//! Forwarding tables as text, fastforward's own: `target: command, command;`.
//!
//! `#` begins a comment that ends with its line; blanks, tabs and line ends count for nothing; a backslash makes the next
//! byte part of a word, whatever it is.

use std::io;
use unix::cdb::Builder;

/// The longest recipient, in bytes.
const LONGEST_ADDRESS: usize = 800;

/// Why a table is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The last instruction has no semicolon.
    Unfinished,
    /// A second colon before the semicolon.
    SecondColon,
    /// A comma or semicolon with no colon before it.
    NoColon,
    /// A NUL anywhere.
    Nul,
    /// A recipient above 800 bytes.
    LongAddress,
}

impl Malformed {
    /// What is wrong, in words.
    pub fn text(self) -> &'static str {
        match self {
            Malformed::Unfinished => "final instruction must end with semicolon",
            Malformed::SecondColon => "double colons are not permitted",
            Malformed::NoColon => "commas are not permitted before colons",
            Malformed::Nul => "NUL bytes are not permitted",
            Malformed::LongAddress => "addresses over 800 bytes are not permitted",
        }
    }
}

/// A record of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// `?` or `:`, and the target.
    pub key: Vec<u8>,
    /// The owner, or instructions.
    pub data: Vec<u8>,
}

impl Record {
    /// Bounces of what goes to `target` are to go to `owner`.
    pub fn owner(target: &[u8], owner: &[u8]) -> Record {
        Record { key: [b"?", target].concat().to_ascii_lowercase(), data: owner.to_vec() }
    }

    /// What comes for `target` goes to these; each ends in NUL.
    pub fn instructions(target: &[u8], data: Vec<u8>) -> Record {
        Record { key: [b":", target].concat().to_ascii_lowercase(), data }
    }
}

/// The bytes of a database of these records.
pub fn build(records: &[Record]) -> io::Result<Vec<u8>> {
    let mut builder = Builder::in_memory();
    records.iter().try_for_each(|record| builder.add(&record.key, &record.data))?;
    Ok(builder.finish()?.into_inner())
}

/// Reads a table.
pub fn parse(text: &[u8]) -> Result<Vec<Record>, Malformed> {
    let mut table = Table::default();
    let mut rest = text.iter();
    while let Some(&byte) = rest.next() {
        match byte {
            0 => return Err(Malformed::Nul),
            b'#' => {
                let comment = rest.as_slice();
                let end = comment.iter().position(|byte| *byte == b'\n').unwrap_or(comment.len());
                if comment.get(..end).is_some_and(|comment| comment.contains(&0)) {
                    return Err(Malformed::Nul);
                }
                rest = comment.get(end..).unwrap_or_default().iter();
            }
            b' ' | b'\t' | b'\n' => {}
            b':' => table.colon()?,
            b',' => table.command_ends()?,
            b';' => table.record_ends()?,
            b'\\' => match rest.next() {
                Some(0) => return Err(Malformed::Nul),
                quoted => table.word.extend(quoted),
            },
            _ => table.word.push(byte),
        }
    }
    if table.target.is_some() || !table.word.is_empty() {
        return Err(Malformed::Unfinished);
    }
    Ok(table.records)
}

/// A table that is being read.
#[derive(Default)]
struct Table {
    records: Vec<Record>,
    /// What stands before the colon, once that has come.
    target: Option<Vec<u8>>,
    instructions: Vec<u8>,
    /// What was read since the last mark.
    word: Vec<u8>,
}

impl Table {
    fn colon(&mut self) -> Result<(), Malformed> {
        if self.target.is_some() {
            return Err(Malformed::SecondColon);
        }
        self.target = Some(std::mem::take(&mut self.word));
        Ok(())
    }

    fn command_ends(&mut self) -> Result<(), Malformed> {
        let target = self.target.as_ref().ok_or(Malformed::NoColon)?;
        let command = std::mem::take(&mut self.word);
        match command.first() {
            None => {}
            Some(b'?') => self.records.push(Record::owner(target, command.get(1..).unwrap_or_default())),
            Some(b'|' | b'!' | b'.' | b'/') => {
                self.instructions.extend(command);
                self.instructions.push(0);
            }
            Some(first) => {
                if command.len() > LONGEST_ADDRESS {
                    return Err(Malformed::LongAddress);
                }
                if *first != b'&' {
                    self.instructions.push(b'&');
                }
                self.instructions.extend(command);
                self.instructions.push(0);
            }
        }
        Ok(())
    }

    fn record_ends(&mut self) -> Result<(), Malformed> {
        self.command_ends()?;
        let target = self.target.take().unwrap_or_default();
        let instructions = std::mem::take(&mut self.instructions);
        if !instructions.is_empty() {
            self.records.push(Record::instructions(&target, instructions));
        }
        Ok(())
    }
}

/// A record as text that [`parse`] reads as the same record; nothing if it is none of a table.
pub fn write(key: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let (kind, target) = key.split_first()?;
    let mut text = escaped(target);
    match kind {
        b'?' => text.extend([b": ?".as_slice(), &escaped(data), b";\n"].concat()),
        b':' => {
            text.extend_from_slice(b":\n");
            let instructions = data.strip_suffix(b"\0")?;
            for instruction in instructions.split(|byte| *byte == 0) {
                if !matches!(instruction.first(), Some(b'&' | b'|' | b'!' | b'.' | b'/')) {
                    return None;
                }
                text.extend([b", ".as_slice(), &escaped(instruction), b"\n"].concat());
            }
            text.extend_from_slice(b";\n");
        }
        _ => return None,
    }
    Some(text)
}

/// With a backslash before every byte that means something, or that is not printable ASCII.
fn escaped(text: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::new();
    for byte in text {
        if *byte <= 32 || *byte >= 128 || b",:;\\#".contains(byte) {
            escaped.push(b'\\');
        }
        escaped.push(*byte);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> Result<String, Malformed> {
        let records = parse(text.as_bytes())?;
        let lines = records.iter().map(|record| write(&record.key, &record.data).unwrap());
        Ok(lines.map(|line| String::from_utf8(line).unwrap()).collect())
    }

    #[test]
    fn blanks_and_comments_count_for_nothing_and_a_backslash_quotes() {
        assert_eq!(shown("a b : c # x;\n d,e\\,f\\\n;").unwrap(), "ab:\n, &cd\n, &e\\,f\\\n\n;\n");
        assert_eq!(
            shown("A:B,?C,|d,!e,./f,/g,&h,&,,;").unwrap(),
            "a: ?C;\na:\n, &B\n, |d\n, !e\n, ./f\n, /g\n, &h\n, &\n;\n"
        );
        assert_eq!(shown("a:;b:c;#").unwrap(), "b:\n, &c\n;\n");
        assert_eq!(shown(" \n").unwrap(), "");
    }

    #[test]
    fn what_is_wrong_is_told_apart() {
        let long = format!("a:&{};", "x".repeat(800));
        for (text, wrong) in [
            ("a: b", Malformed::Unfinished),
            ("x\\", Malformed::Unfinished),
            (":", Malformed::Unfinished),
            ("a::b;", Malformed::SecondColon),
            ("a,b:c;", Malformed::NoColon),
            (";", Malformed::NoColon),
            ("a:\\\0;", Malformed::Nul),
            ("a:b;#\0", Malformed::Nul),
            (&long, Malformed::LongAddress),
        ] {
            assert_eq!(shown(text), Err(wrong), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_record_that_is_written_and_read_is_the_same(
            target in proptest::collection::vec(1..=255_u8, 0..9),
            commands in proptest::collection::vec(("[&|!./]", proptest::collection::vec(1..=255_u8, 0..9)), 1..4),
            owner in proptest::collection::vec(1..=255_u8, 0..9),
        ) {
            let data: Vec<u8> =
                commands.iter().flat_map(|(kind, text)| [kind.as_bytes(), text, b"\0"].concat()).collect();
            for record in [Record::instructions(&target, data), Record::owner(&target, &owner)] {
                let text = write(&record.key, &record.data).unwrap();
                prop_assert_eq!(parse(&text).unwrap(), [record]);
            }
        }
    }
}
