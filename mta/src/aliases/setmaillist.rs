//! `setmaillist` makes a binary list, for fastforward, of entries as they stand there.
//!
//! Called  `setmaillist list.bin list.tmp`, the second being a name in the same directory.
//! Reads    fd 0: an entry a line.      Writes  list.tmp, which then becomes list.bin.
//! Runs as  the owner of the list.   Trusts  its caller.
//! Exits    0 the new list is on disk · 100 called wrongly · 111 anything else; list.bin is as it was.
//! Manual   setmaillist(1).    Next in the flow: aliases::fastforward.

use super::{output, setforward};
use unix::failure::Failure;
use unix::process;
use unix::program::{Exit, Invocation};

const LONGEST_ADDRESS: usize = 800;

/// The program's entry.
pub fn main(invocation: &Invocation) -> Result<Exit, Failure> {
    let [list, temporary, ..] = invocation.arguments.as_slice() else {
        return Err(Failure::usage("setmaillist list.bin list.tmp"));
    };
    process::set_umask(0o033);
    let bytes = compile(&setforward::read_input()?)?;
    output::replace(list, temporary, &bytes)?;
    Ok(Exit::SUCCESS)
}

fn compile(text: &[u8]) -> Result<Vec<u8>, Failure> {
    if text.contains(&0) {
        return Err(Failure::temporary("NUL in input"));
    }
    let mut list = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        let end = line.iter().rposition(|byte| !matches!(byte, b' ' | b'\t'));
        let entry = end.and_then(|end| line.get(..=end)).unwrap_or_default();
        match entry.first() {
            None | Some(b'#') => continue,
            Some(b'.' | b'/') => {}
            Some(first) => {
                if entry.len() > LONGEST_ADDRESS {
                    return Err(Failure::temporary("addresses must be under 800 bytes"));
                }
                if *first != b'&' {
                    list.push(b'&');
                }
            }
        }
        list.extend_from_slice(entry);
        list.push(0);
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_an_entry() {
        let list = compile(b"god@x.y\n# no\n\n&a@b \t\n./inc\n/abs\n lead\n|x").unwrap();
        assert_eq!(list, b"&god@x.y\0&a@b\0./inc\0/abs\0& lead\0&|x\0");
        assert_eq!(compile(b"a\0b").unwrap_err().text(), b"NUL in input");
        assert!(compile(&[b'x'; 800]).is_ok() && compile(&[b'x'; 801]).is_err());
    }
}
