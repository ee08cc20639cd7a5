//! The control files that programs read, against what describes them: qmail-control(5), the guide and qmail-showctl.

use harness::{MailHome, source_tree};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// How a program asks for a control file, and what the manual page calls such a file.
const READERS: &[(&str, &str)] = &[
    ("line", "line"),
    ("line_or_me", "line"),
    ("integer", "number"),
    ("switch", "switch"),
    ("list", "list"),
    ("set", "list"),
    ("map", "map"),
    ("read", "list"),
    ("path", "database"),
];
/// Where the name is no literal at the call: what it is there.
const BY_VARIABLE: &[(&str, &[(&str, &str)])] = &[
    ("aliases/completion.rs", &[("defaultdomain", "line"), ("defaulthost", "line"), ("plusdomain", "line")]),
    (
        "receive/inject/rewrite.rs",
        &[("defaultdomain", "line"), ("defaulthost", "line"), ("idhost", "line"), ("plusdomain", "line")],
    ),
    (
        "send/settings.rs",
        &[
            ("bouncehost", "line"),
            ("concurrencylocal", "number"),
            ("concurrencyremote", "number"),
            ("doublebouncehost", "line"),
        ],
    ),
    ("control/newmrh.rs", &[("morercpthosts", "list")]),
    ("control/rcpthosts.rs", &[("morercpthosts.cdb", "database")]),
];
/// These show what files say, whatever they are.
const SHOWING: &[&str] = &["control/showctl.rs", "decide/explain.rs", "control/mod.rs"];
/// Made and renamed, never read.
const TEMPORARY: &str = "morercpthosts.tmp";

/// Control files, with the kind of each.
type Files = BTreeMap<String, String>;

#[test]
fn every_control_file_that_a_program_reads_is_in_the_manual_as_what_it_is_and_no_other() {
    let (read, documented) = (in_source(), in_manual());
    assert!(read.len() > 30, "only {read:?}");
    assert_eq!(documented, read);
}

#[test]
fn the_guide_has_every_control_file_in_its_table() {
    let guide = fs::read_to_string(source_tree().join("docs/guide.md")).expect("the guide");
    let (_, section) = guide.split_once("\n## 15. Control files\n").expect("the section of control files");
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| ")).skip(1);
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    let names: BTreeSet<String> =
        cells.flat_map(|cell| cell.split(',')).map(|name| name.trim().into()).collect();
    assert_eq!(names, in_manual().into_keys().collect());
}

#[test]
fn qmail_showctl_knows_every_control_file() {
    let home = MailHome::new([]);
    let names: BTreeSet<String> = in_manual().into_keys().collect();
    for name in &names {
        home.control(name, "1\n");
    }
    home.control("no-such-subject", "1\n");
    let shown = home.call("qmail-showctl").run();
    assert_eq!((shown.code, shown.err_text().as_str()), (0, ""));
    let text = shown.out_text();
    let explained: BTreeSet<String> = text
        .split("\n\n")
        .skip(1)
        .filter(|part| !part.contains("I have no idea what this file does."))
        .filter_map(|part| part.split_once(": ").or(part.split_once(":\n")))
        .map(|(name, _)| name.trim_start().to_owned())
        .collect();
    assert_eq!(explained, names, "{text}");
}

/// The tagged names of qmail-control(5), and what follows each in parentheses.
fn in_manual() -> Files {
    let page = fs::read_to_string(source_tree().join("docs/man/qmail-control.5")).expect("the page");
    let items = page.lines().filter_map(|line| line.strip_prefix(".It Pa ")?.split_once(" Pq "));
    items.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect()
}

/// What the programs ask for, with their tests left out.
fn in_source() -> Files {
    let mut files = Files::new();
    let mut by_variable = BTreeSet::new();
    let root = source_tree().join("mta/src");
    for path in sources(&root) {
        let name = path.strip_prefix(&root).expect("below").to_string_lossy().into_owned();
        if SHOWING.contains(&name.as_str()) {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source file of UTF-8");
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (argument, kind) in asked_for(text) {
            match argument.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
                Some((TEMPORARY, _)) => {}
                Some((file, _)) => put(&mut files, file, kind),
                None => {
                    by_variable.insert(name.clone());
                }
            }
        }
        for (file, kind) in named_by_variable(&name) {
            assert!(text.contains(&format!("\"{file}\"")), "{name} does not name {file}");
            put(&mut files, file, kind);
        }
    }
    let known: BTreeSet<String> = BY_VARIABLE.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(by_variable, known, "files that read control files by a variable");
    files
}

fn named_by_variable(source: &str) -> &'static [(&'static str, &'static str)] {
    BY_VARIABLE.iter().find(|(name, _)| *name == source).map_or(&[], |(_, files)| files)
}

fn put(files: &mut Files, name: &str, kind: &str) {
    let known = files.entry(name.to_owned()).or_insert_with(|| kind.to_owned());
    assert_eq!(known, kind, "{name} is read as two kinds of file");
}

/// What stands between the brackets of each call to a control directory, with the kind of file that it reads.
fn asked_for(text: &str) -> Vec<(&str, &'static str)> {
    let mut found = Vec::new();
    for start in ["control.", "Control::new(home.control())."] {
        for rest in text.split(start).skip(1) {
            let Some((method, argument)) = rest.split_once('(') else { continue };
            if let Some((_, kind)) = READERS.iter().find(|(name, _)| *name == method) {
                found.push((argument, *kind));
            }
        }
    }
    found
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory of source files") {
        let path = entry.expect("a source file").path();
        if path.is_dir() {
            paths.extend(sources(&path));
        } else if path.file_name().is_some_and(|name| name != "tests.rs") {
            paths.push(path);
        }
    }
    paths
}
