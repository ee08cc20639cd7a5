//! Where a message for an address goes, by a forwarding table: the alias, the aliases that it names, their lists.

use super::instruction::{self, Instruction, Unknown};
use crate::queue::envelope::DOUBLE_BOUNCE_SENDER;
use std::collections::HashSet;
use unix::failure::Failure;

/// What is looked up.
pub trait Tables {
    /// The data of a key of the database.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Failure>;
    /// The contents of a binary list.
    fn list(&self, name: &[u8]) -> Result<Vec<u8>, Failure>;
    /// A record or a list holds what none may hold.
    fn damaged(&self, name: &[u8]) -> Failure;
}

/// What a message is to go to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expansion {
    /// Who gets bounces.
    pub sender: Vec<u8>,
    /// Programs, each with its first byte, in the order in which they are run.
    pub programs: Vec<Vec<u8>>,
    /// Addresses.
    pub recipients: Vec<Vec<u8>>,
}

/// Expands an address; `None` if the table does not have it.
///
/// An alias with an owner that another alias names is not expanded: the message goes to it by itself, and comes back
/// with the owner as its sender. No alias is expanded twice, so that loops end; what each one asks for is done once.
pub fn expand(recipient: &[u8], sender: &[u8], tables: &impl Tables) -> Result<Option<Expansion>, Failure> {
    let owner = match sender {
        b"" | DOUBLE_BOUNCE_SENDER => None,
        _ => first(b"?", recipient, tables)?,
    };
    let Some(record) = first(b":", recipient, tables)? else { return Ok(None) };
    let mut work = Work { tables, stack: Vec::new(), programs: Vec::new(), expanded: HashSet::new() };
    work.expanded.insert(recipient.to_ascii_lowercase());
    work.follow(&record, recipient)?;
    let recipients = work.all()?;
    let sender = owner.unwrap_or_else(|| sender.to_vec());
    Ok(Some(Expansion { sender, programs: work.programs, recipients }))
}

/// The data for an address: its own, that of its host, that of its local part at any host.
fn first(kind: &[u8], address: &[u8], tables: &impl Tables) -> Result<Option<Vec<u8>>, Failure> {
    let get = |key: &[u8]| tables.get(&[kind, key].concat().to_ascii_lowercase());
    if let Some(data) = get(address)? {
        return Ok(Some(data));
    }
    let at = address.iter().rposition(|byte| *byte == b'@');
    let Some((local, host)) = at.and_then(|at| address.split_at_checked(at)) else { return Ok(None) };
    match get(host)? {
        Some(data) => Ok(Some(data)),
        None => get(&[local, b"@"].concat()),
    }
}

struct Work<'a, T> {
    tables: &'a T,
    /// What is still to be followed; the last one is the next.
    stack: Vec<Instruction>,
    programs: Vec<Vec<u8>>,
    /// Aliases, in lower case.
    expanded: HashSet<Vec<u8>>,
}

impl<T: Tables> Work<'_, T> {
    /// Follows everything there is to follow, and returns the addresses at the ends.
    fn all(&mut self) -> Result<Vec<Vec<u8>>, Failure> {
        let mut seen = HashSet::new();
        let mut recipients = Vec::new();
        while let Some(instruction) = self.stack.pop() {
            if !seen.insert(instruction.clone()) {
                continue;
            }
            match instruction {
                Instruction::Recipient(address) => {
                    if !self.expands(&address)? {
                        recipients.push(address);
                    }
                }
                Instruction::List(name) => {
                    let list = self.tables.list(&name)?;
                    self.stack
                        .extend(instruction::of_list(&list).map_err(|Unknown| self.tables.damaged(&name))?);
                }
                Instruction::Program(_) => {}
            }
        }
        recipients.reverse();
        Ok(recipients)
    }

    /// Expands an address if it is an alias without owner. One that was expanded has been, whatever its case.
    fn expands(&mut self, address: &[u8]) -> Result<bool, Failure> {
        let name = address.to_ascii_lowercase();
        if self.tables.get(&[b"?", name.as_slice()].concat())?.is_some() {
            return Ok(false);
        }
        let Some(record) = self.tables.get(&[b":", name.as_slice()].concat())? else { return Ok(false) };
        if self.expanded.insert(name) {
            self.follow(&record, address)?;
        }
        Ok(true)
    }

    fn follow(&mut self, record: &[u8], name: &[u8]) -> Result<(), Failure> {
        for instruction in instruction::of_record(record).map_err(|Unknown| self.tables.damaged(name))? {
            match instruction {
                Instruction::Program(command) => self.programs.push(command),
                other => self.stack.push(other),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aliases::table;
    use std::collections::HashMap;

    struct Fake {
        records: HashMap<Vec<u8>, Vec<u8>>,
    }

    impl Tables for Fake {
        fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
            Ok(self.records.get(key).cloned())
        }

        fn list(&self, name: &[u8]) -> Result<Vec<u8>, Failure> {
            match name {
                b"./l" => Ok(b"&x@y\0&a\0./l\0./m\0".to_vec()),
                b"./m" => Ok(b"text\n".to_vec()),
                _ => Ok(b"&z\0".to_vec()),
            }
        }

        fn damaged(&self, name: &[u8]) -> Failure {
            Failure::temporary([b"damaged ", name].concat())
        }
    }

    fn shown(text: &str, recipient: &str, sender: &str) -> String {
        let mut records = HashMap::new();
        for record in table::parse(text.as_bytes()).unwrap() {
            records.entry(record.key).or_insert(record.data);
        }
        match expand(recipient.as_bytes(), sender.as_bytes(), &Fake { records }) {
            Ok(Some(Expansion { sender, programs, recipients })) => {
                let join = |list: &[Vec<u8>]| String::from_utf8(list.join(&b" "[..])).unwrap();
                format!("{}: {} / {}", String::from_utf8(sender).unwrap(), join(&programs), join(&recipients))
            }
            Ok(None) => "none".to_owned(),
            Err(failure) => String::from_utf8(failure.text().to_vec()).unwrap(),
        }
    }

    #[test]
    fn aliases_are_followed_and_recipients_keep_their_order() {
        let table = "root@yp.to: god, staff; staff: joe, bob, root; root: |x, joe;";
        assert_eq!(shown(table, "Root@YP.to", "s"), "s: |x / god bob joe");
        assert_eq!(shown(table, "nobody@yp.to", "s"), "none");
    }

    #[test]
    fn an_address_goes_before_its_host_and_its_host_before_its_local_part() {
        let table = "a@h: 1; @h: 2; b@: 3; c: 4; @: 5;";
        for (address, end) in
            [("a@h", "1"), ("b@h", "2"), ("b@i", "3"), ("c", "4"), ("@", "5"), ("x@y@h", "2")]
        {
            assert_eq!(shown(table, address, "s"), format!("s:  / {end}"), "{address}");
        }
        assert_eq!(shown(table, "b", "s"), "none");
    }

    #[test]
    fn an_owner_gets_the_bounces_and_keeps_his_alias_apart() {
        let table = "l: a, m; l: ?own; m: ?other, b; n: l;";
        assert_eq!(shown(table, "l", "s"), "own:  / a m");
        assert_eq!(shown(table, "l", ""), ":  / a m");
        assert_eq!(shown(table, "l", "#@[]"), "#@[]:  / a m");
        assert_eq!(shown(table, "n", "s"), "s:  / l");
        assert_eq!(shown("l: ?own;", "l", "s"), "none");
    }

    #[test]
    fn an_alias_that_names_itself_runs_its_programs_once() {
        assert_eq!(shown("a: |x, a, A, b; b: |y, a, c;", "a", "s"), "s: |x |y / c");
    }

    #[test]
    fn lists_are_followed_once_and_one_that_is_none_loses_nobody_in_silence() {
        assert_eq!(shown("a: ./n;", "a", "s"), "s:  / z");
        assert_eq!(shown("a: ./l;", "a", "s"), "damaged ./m");
    }
}
