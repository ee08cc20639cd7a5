//! `newaliases` compiles `/etc/aliases` into the database that fastforward reads.
//!
//! Reads    /etc/aliases; control/{me, defaultdomain, defaulthost, plusdomain}.
//! Writes   /etc/aliases.tmp, which then becomes /etc/aliases.cdb.
//! Runs as  root, as a rule.   Trusts  who may write /etc/aliases.
//! Exits    0 the new aliases are on disk · 100 an address is too long · 111 anything else; aliases.cdb is as it was.
//! Manual   newaliases(1).    Next in the flow: aliases::fastforward.

use super::completion::Completion;
use super::line::{self, Item, Listed};
use super::output;
use super::table::{self, Record};
use crate::control::Control;
use crate::message::tokens::Malformed;
use crate::setup::home::Home;
use std::path::Path;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::{file, process};

const ALIASES: &str = "/etc/aliases";
const TEMPORARY: &[u8] = b"/etc/aliases.tmp";
const DATABASE: &[u8] = b"/etc/aliases.cdb";
const LONGEST_ADDRESS: usize = 800;
/// Bounces of what goes to `list` go to `owner-list`.
const OWNER: &[u8] = b"owner-";

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    process::set_umask(0o033);
    let completion = Completion::read(&Control::new(Home::of_this_program()?.control()))?;
    let unreadable = |error| Failure::temporary(format!("unable to read {ALIASES}")).because(&error);
    let text = file::open_read(Path::new(ALIASES))
        .and_then(|mut file| {
            let mut text = Vec::new();
            std::io::Read::read_to_end(&mut file, &mut text).map(|_| text)
        })
        .map_err(unreadable)?;
    if text.last().is_some_and(|last| *last != b'\n') {
        invocation.warn(format!("the last line of {ALIASES} has no line end"));
    }
    let mut records = Vec::new();
    for line in logical_lines(&text) {
        records.extend(compile(&line, &completion)?);
    }
    let bytes = table::build(&records)
        .map_err(|error| Failure::temporary("unable to write to /etc/aliases.tmp").because(&error))?;
    output::replace(DATABASE, TEMPORARY, &bytes)?;
    Ok(Exit::SUCCESS)
}

/// Lines, each with the lines that continue it because they begin with a blank; without comments and empty lines.
fn logical_lines(text: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n').filter(|line| *line != b"\n") {
        match lines.last_mut() {
            Some(last) if matches!(line.first(), Some(b' ' | b'\t')) => last.extend_from_slice(line),
            _ => lines.push(line.to_vec()),
        }
    }
    lines.retain(|line| !line.starts_with(b"#"));
    lines
}

/// The records of an alias: the first address of its line is the alias, the others are where mail for it goes.
fn compile(line: &[u8], completion: &Completion) -> Result<Vec<Record>, Failure> {
    let unparsable = || {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        Failure::temporary([b"unable to parse this line: ", line].concat())
    };
    let mut items = line::items(line, true).map_err(|Malformed| unparsable())?;
    let Some(Item::Address(alias)) = items.pop() else { return Err(unparsable()) };
    if items.is_empty() || alias.text.is_empty() {
        return Err(unparsable());
    }
    let data = instructions(&items, completion)?;
    let target = if alias.has_host { alias.text.clone() } else { [alias.text.as_slice(), b"@"].concat() };
    let mut records = Vec::new();
    if let Some(list) = target.strip_prefix(OWNER) {
        records.push(Record::owner(list, &completion.complete(&alias)));
    }
    records.push(Record::instructions(&target, data));
    Ok(records)
}

/// The instructions for these, each with a NUL, in the order of the original, whose tables have the same bytes: an
/// address is written when the next one comes, since the last one of a line is the alias; all else at once.
fn instructions(items: &[Item], completion: &Completion) -> Result<Vec<u8>, Failure> {
    let mut data = Vec::new();
    let mut address = None;
    for item in items {
        let instruction = instruction(item, completion)?;
        let next =
            if instruction.starts_with(b"&") { address.replace(instruction) } else { Some(instruction) };
        data.extend(next.into_iter().flat_map(ended));
    }
    data.extend(address.into_iter().flat_map(ended));
    Ok(data)
}

fn ended(mut instruction: Vec<u8>) -> Vec<u8> {
    instruction.push(0);
    instruction
}

/// A list is used in its compiled form, which newinclude makes.
fn instruction(item: &Item, completion: &Completion) -> Result<Vec<u8>, Failure> {
    match item {
        Item::Include(name) => Ok([list_file(name)?.as_slice(), b".bin"].concat()),
        Item::Address(address) => recipient(address, completion),
    }
}

/// The file of a list, with a directory in its name, so that it is known from an address.
pub(super) fn list_file(name: &[u8]) -> Result<Vec<u8>, Failure> {
    if name.is_empty() {
        return Err(Failure::temporary("empty :include: filenames not permitted"));
    }
    if name.contains(&0) {
        return Err(Failure::temporary("NUL not permitted in :include: filenames"));
    }
    let here: &[u8] = if matches!(name.first(), Some(b'.' | b'/')) { b"" } else { b"./" };
    Ok([here, name].concat())
}

fn recipient(address: &Listed, completion: &Completion) -> Result<Vec<u8>, Failure> {
    let text = address.text.as_slice();
    match text.first() {
        None => Err(Failure::temporary("empty recipient addresses not permitted")),
        Some(b'|') if !address.has_host => {
            if text.contains(&0) {
                return Err(Failure::temporary("NUL not permitted in program names"));
            }
            Ok([b"!", text.get(1..).unwrap_or_default()].concat())
        }
        Some(b'/') if !address.has_host => {
            Err(Failure::temporary([b"file delivery ", text, b" not supported"].concat()))
        }
        Some(_) if text.contains(&0) => Err(Failure::temporary("NUL not permitted in recipient addresses")),
        Some(_) => {
            let complete = completion.complete(address);
            if complete.len() > LONGEST_ADDRESS {
                return Err(Failure::permanent("addresses over 800 bytes are not permitted"));
            }
            Ok([b"&", complete.as_slice()].concat())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_begin_with_a_blank_continue_the_one_before_them_even_a_comment() {
        let lines = logical_lines(b"a: b,\n\n\tc\n# x\n d\n\ne: f\n g");
        assert_eq!(lines, [&b"a: b,\n\tc\n"[..], b"e: f\n g"]);
        assert_eq!(logical_lines(b" a\n b\n"), [b" a\n b\n"]);
    }
}
