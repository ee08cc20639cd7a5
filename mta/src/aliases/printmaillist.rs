//! `printmaillist` shows a binary list, an entry a line.
//!
//! Reads    fd 0: the list.      Writes  fd 1: its entries.
//! Runs as  anybody.   Trusts  nothing in the list.
//! Exits    0 · 100 it is none, or cut off · 111 trouble reading or writing.
//! Manual   printmaillist(1).

use super::instruction::{Instruction, Unknown};
use super::setforward;
use std::io::Write;
use unix::descriptor;
use unix::failure::Failure;
use unix::program::{Exit, Invocation};

/// The program's entry.
pub fn main(_: &Invocation) -> Result<Exit, Failure> {
    let list = setforward::read_input()?;
    let (good, malformed) = lines(&list);
    descriptor::output()
        .write_all(&good)
        .map_err(|error| Failure::temporary("unable to write output").because(&error))?;
    if malformed.is_some() { Err(Failure::permanent("bad mailing list format")) } else { Ok(Exit::SUCCESS) }
}

/// The entries up to the first that is none.
fn lines(list: &[u8]) -> (Vec<u8>, Option<Unknown>) {
    let mut good = Vec::new();
    for entry in list.split_inclusive(|byte| *byte == 0) {
        let is_entry = |text: &&[u8]| {
            !text.contains(&b'\n')
                && matches!(Instruction::parse(text), Ok(Instruction::Recipient(_) | Instruction::List(_)))
        };
        let Some(text) = entry.strip_suffix(b"\0").filter(is_entry) else { return (good, Some(Unknown)) };
        good.extend_from_slice(text);
        good.push(b'\n');
    }
    (good, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_list_is_shown_up_to_there() {
        assert_eq!(lines(b"&a\0./b\0/c\0"), (b"&a\n./b\n/c\n".to_vec(), None));
        for rest in [&b"&b"[..], b"|x\0", b"\0", b"&b\nc\0", b"x\0"] {
            assert_eq!(lines(&[b"&a\0", rest].concat()), (b"&a\n".to_vec(), Some(Unknown)));
        }
    }
}
