//! `docs/hardening.md`: each promise has its id, and tests that are there and carry it.

use harness::source_tree;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The groups of promises, with how many each has.
const GROUPS: [(char, usize); 6] = [('S', 6), ('M', 7), ('P', 4), ('L', 9), ('B', 6), ('R', 9)];

/// The tests of the source tree by `file::name`, with the ids that each carries.
type Tests = BTreeMap<String, BTreeSet<String>>;

#[test]
fn each_promise_is_in_the_table_once_with_tests_that_carry_its_id() {
    let tests = tests_of_the_tree();
    assert!(tests.len() > 500, "only {} tests were found", tests.len());
    let text = fs::read_to_string(source_tree().join("docs/hardening.md")).expect("docs/hardening.md");
    let mut wrong = Vec::new();
    let mut rows = BTreeSet::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [id, promise, named] = cells.as_slice() else { continue };
        if !all_ids().contains(*id) {
            continue;
        }
        if !rows.insert((*id).to_owned()) || promise.is_empty() {
            wrong.push(format!("{id}: two rows, or no promise"));
        }
        let named: Vec<&str> = named.split('`').filter(|part| part.contains("::")).collect();
        if named.is_empty() {
            wrong.push(format!("{id}: no test is named"));
        }
        for name in named {
            match tests.get(name) {
                None => wrong.push(format!("{id}: there is no test {name}")),
                Some(ids) if !ids.contains(*id) => wrong.push(format!("{id}: {name} does not carry it")),
                Some(_) => {}
            }
        }
    }
    for id in all_ids().difference(&rows) {
        wrong.push(format!("{id}: no row"));
    }
    for id in all_ids() {
        if !tests.values().any(|ids| ids.contains(&id)) {
            wrong.push(format!("{id}: no test carries it"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn all_ids() -> BTreeSet<String> {
    GROUPS
        .iter()
        .flat_map(|(group, count)| (1..=*count).map(move |number| format!("{group}{number}")))
        .collect()
}

fn tests_of_the_tree() -> Tests {
    let mut tests = Tests::new();
    for part in ["unix", "cyclog", "supervise", "tcpserver", "mta", "tests"] {
        collect(&source_tree().join(part), &mut tests);
    }
    tests
}

fn collect(directory: &Path, tests: &mut Tests) {
    for entry in fs::read_dir(directory).expect("a directory of the source tree") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if !path.ends_with("target") {
                collect(&path, tests);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let file = path.strip_prefix(source_tree()).expect("a path of the tree").to_str().expect("ASCII");
            let text = fs::read_to_string(&path).expect("a source file");
            tests.extend(tests_in(&text).into_iter().map(|(name, ids)| (format!("{file}::{name}"), ids)));
        }
    }
}

/// The functions of a file that are tests: with the attribute, below or above their comment.
fn tests_in(text: &str) -> Vec<(String, BTreeSet<String>)> {
    let (mut found, mut is_test, mut ids) = (Vec::new(), false, BTreeSet::new());
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") {
            is_test |= line == "#[test]";
        } else if let Some(comment) = line.strip_prefix("///") {
            ids.extend(ids_in(comment));
        } else {
            let name = line.strip_prefix("fn ").and_then(|rest| rest.split('(').next()).filter(|_| is_test);
            if let Some(name) = name {
                let prefix = name.split('_').next().unwrap_or_default().to_ascii_uppercase();
                ids.extend(ids_in(&prefix));
                found.push((name.to_owned(), std::mem::take(&mut ids)));
            }
            (is_test, ids) = (false, BTreeSet::new());
        }
    }
    found
}

fn ids_in(text: &str) -> Vec<String> {
    let known = all_ids();
    let words = text.split(|byte: char| !byte.is_ascii_alphanumeric());
    words.filter(|word| known.contains(*word)).map(str::to_owned).collect()
}

#[test]
fn a_test_is_known_by_its_attribute_and_its_ids_by_name_and_comment() {
    let text = "/// S3, B1: x\n#[test]\nfn p2_x() {\n}\n/// S1\nfn no_test() {}\n#[test]\nfn plain() {}\n";
    let found: Vec<(String, Vec<String>)> =
        tests_in(text).into_iter().map(|(name, ids)| (name, ids.into_iter().collect())).collect();
    let ids = ["B1", "P2", "S3"].map(str::to_owned).to_vec();
    assert_eq!(found, [("p2_x".to_owned(), ids), ("plain".to_owned(), vec![])]);
}
