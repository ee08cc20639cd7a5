//! What an answer says about the name that was asked for: records, an alias, or nothing.

use super::{ALIAS_LIMIT, Trouble};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

/// What to do after an answer.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// These are the records.
    Found(Vec<RData>),
    /// The name is an alias of this one, of which the answer says nothing more: ask again.
    Alias(Name),
    /// There are no such records.
    Absent,
}

/// Reads the answer section of a reply without an error.
///
/// Records of other names and of other types count for nothing, whatever the server says about them.
pub(super) fn read(answers: &[Record], name: &Name, kind: RecordType) -> Result<Step, Trouble> {
    let mut current = name;
    for _ in 0..ALIAS_LIMIT {
        let found = records_of(answers, current, kind);
        if !found.is_empty() {
            return Ok(Step::Found(found));
        }
        match alias_of(answers, current) {
            Some(target) => current = target,
            None if current == name => return Ok(Step::Absent),
            None => return Ok(Step::Alias(current.clone())),
        }
    }
    Err(Trouble::Temporary("too many aliases".into()))
}

/// Reads the answer section of a reply that says "no such name" about the last of a chain of aliases.
pub(super) fn last_word(answers: &[Record], name: &Name, kind: RecordType) -> Step {
    match read(answers, name, kind) {
        Ok(Step::Found(records)) => Step::Found(records),
        _ => Step::Absent,
    }
}

fn records_of(answers: &[Record], name: &Name, kind: RecordType) -> Vec<RData> {
    let matching = answers.iter().filter(|record| record.record_type() == kind && record.name == *name);
    matching.map(|record| record.data.clone()).collect()
}

fn alias_of<'a>(answers: &'a [Record], name: &Name) -> Option<&'a Name> {
    answers.iter().find_map(|record| match &record.data {
        RData::CNAME(target) if record.name == *name => Some(&target.0),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_resolver::proto::rr::rdata::{A, CNAME};

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn alias(from: &str, to: &str) -> Record {
        Record::from_rdata(name(from), 60, RData::CNAME(CNAME(name(to))))
    }

    fn address(of: &str, last: u8) -> Record {
        Record::from_rdata(name(of), 60, RData::A(A::new(192, 0, 2, last)))
    }

    fn step(answers: &[Record]) -> Result<Step, Trouble> {
        read(answers, &name("www.example."), RecordType::A)
    }

    #[test]
    fn aliases_are_followed_in_any_order_and_case() {
        let answers = [
            address("c.example.", 3),
            alias("B.example.", "c.example."),
            alias("www.example.", "b.example."),
        ];
        assert_eq!(step(&answers), Ok(Step::Found(vec![RData::A(A::new(192, 0, 2, 3))])));
    }

    #[test]
    fn an_alias_without_its_records_is_asked_for() {
        assert_eq!(step(&[alias("www.example.", "b.example.")]), Ok(Step::Alias(name("b.example."))));
    }

    #[test]
    fn records_of_another_name_are_not_believed() {
        assert_eq!(step(&[address("bank.example.", 66)]), Ok(Step::Absent));
        assert_eq!(step(&[]), Ok(Step::Absent));
    }

    #[test]
    fn aliases_in_a_circle_are_temporary() {
        let circle = [alias("www.example.", "b.example."), alias("b.example.", "www.example.")];
        assert!(matches!(step(&circle), Err(Trouble::Temporary(_))));
    }

    #[test]
    fn no_such_name_after_an_alias_is_the_last_word() {
        let answers = [alias("www.example.", "b.example.")];
        assert_eq!(last_word(&answers, &name("www.example."), RecordType::A), Step::Absent);
    }
}
