//! `newinclude` compiles a list of addresses into the binary list that fastforward reads.
//!
//! Called  `newinclude list`.
//! Reads    list; control/{me, defaultdomain, defaulthost, plusdomain} or the variables in their place.
//! Writes   list.tmp, which then becomes list.bin.
//! Runs as  the owner of the list.   Trusts  the list.
//! Exits    0 the new list is on disk · 100 called wrongly · 111 anything else; list.bin is as it was.
//! Manual   newinclude(1).    Next in the flow: aliases::fastforward.

use super::completion::Completion;
use super::line::{self, Item, Listed};
use super::{newaliases, output};
use crate::control::Control;
use crate::message::tokens::Malformed;
use crate::setup::home::Home;
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};
use unix::{file, process};

const LONGEST_ADDRESS: usize = 800;

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let name = invocation.arguments.first().ok_or(Failure::usage("newinclude list"))?;
    process::set_umask(0o033);
    let control = Control::new(Home::of_this_program()?.control());
    let completion = Completion::read_unless_set(&control, &invocation.environment())?;
    let bytes = compile(&read(name)?, &completion)?;
    output::replace(&[name, &b".bin"[..]].concat(), &[name, &b".tmp"[..]].concat(), &bytes)?;
    Ok(Exit::SUCCESS)
}

fn read(name: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    file::open_read(Path::new(OsStr::from_bytes(name)))
        .and_then(|mut file| file.read_to_end(&mut text))
        .map_err(|error| Failure::temporary([b"unable to read ", name].concat()).because(&error))?;
    Ok(text)
}

/// The entries of all lines, in order, and those of one line from right to left.
fn compile(text: &[u8], completion: &Completion) -> Result<Vec<u8>, Failure> {
    let mut list = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"#")) {
        let items = line::items(line, true).map_err(|Malformed| {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            Failure::temporary([b"unable to parse this line: ", line].concat())
        })?;
        for item in items {
            let entry = match item {
                Item::Address(Listed { text, .. }) if text.is_empty() => continue,
                Item::Address(address) => recipient(&address, completion)?,
                Item::Include(name) => {
                    refuse_line_end(&name, ":include: filenames")?;
                    compiled(newaliases::list_file(&name)?)
                }
            };
            list.extend(entry);
            list.push(0);
        }
    }
    Ok(list)
}

/// fastforward reads lists in their compiled form: one named in its text form would be no list.
fn compiled(mut file: Vec<u8>) -> Vec<u8> {
    if !file.ends_with(b".bin") {
        file.extend_from_slice(b".bin");
    }
    file
}

fn recipient(address: &Listed, completion: &Completion) -> Result<Vec<u8>, Failure> {
    let text = address.text.as_slice();
    let unsupported =
        |what: &[u8]| Failure::temporary([what, b" delivery ", text, b" not supported"].concat());
    match text.first() {
        Some(b'/') if !address.has_host => return Err(unsupported(b"file")),
        Some(b'|') if !address.has_host => return Err(unsupported(b"program")),
        _ => {}
    }
    let complete = completion.complete(address);
    refuse_line_end(&complete, "recipient addresses")?;
    if complete.contains(&0) {
        return Err(Failure::temporary("NUL not permitted in recipient addresses"));
    }
    if matches!(complete.last(), Some(b' ' | b'\t')) {
        return Err(Failure::temporary("spaces and tabs not permitted at ends of addresses"));
    }
    if complete.len() > LONGEST_ADDRESS {
        return Err(Failure::temporary("addresses must be under 800 bytes"));
    }
    Ok([b"&", complete.as_slice()].concat())
}

/// What printmaillist prints is a line for each entry.
fn refuse_line_end(text: &[u8], what: &str) -> Result<(), Failure> {
    if text.contains(&b'\n') {
        return Err(Failure::temporary(format!("newlines not permitted in {what}")));
    }
    Ok(())
}
