//! The programs of the original's `bin`: each is there, has its page, and stands in the README's table.

use harness::source_tree;
use std::collections::BTreeSet;
use std::fs;

/// What netqmail installs in `bin`, and newaliases of the package fastforward.
const ORIGINAL: &[&str] = &[
    "bouncesaying",
    "condredirect",
    "datemail",
    "elq",
    "except",
    "forward",
    "maildir2mbox",
    "maildirmake",
    "maildirwatch",
    "mailsubj",
    "newaliases",
    "pinq",
    "predate",
    "preline",
    "qail",
    "qbiff",
    "qmail-clean",
    "qmail-getpw",
    "qmail-inject",
    "qmail-local",
    "qmail-lspawn",
    "qmail-newmrh",
    "qmail-newu",
    "qmail-pop3d",
    "qmail-popup",
    "qmail-pw2u",
    "qmail-qmqpc",
    "qmail-qmqpd",
    "qmail-qmtpd",
    "qmail-qread",
    "qmail-qstat",
    "qmail-queue",
    "qmail-remote",
    "qmail-rspawn",
    "qmail-send",
    "qmail-showctl",
    "qmail-smtpd",
    "qmail-start",
    "qmail-tcpok",
    "qmail-tcpto",
    "qreceipt",
    "qsmhook",
    "sendmail",
    "splogger",
    "tcp-env",
];

/// The names of our programs and scripts.
fn ours() -> BTreeSet<String> {
    let parts = ["mta", "supervise", "tcpserver", "cyclog"];
    let directories = parts.iter().flat_map(|part| [format!("{part}/src/bin"), format!("{part}/scripts")]);
    let mut names = BTreeSet::new();
    for directory in directories.map(|directory| source_tree().join(directory)).filter(|path| path.is_dir()) {
        for entry in fs::read_dir(directory).expect("programs").flatten() {
            let name = entry.file_name().into_string().expect("an ASCII name");
            names.insert(name.strip_suffix(".rs").unwrap_or(&name).to_owned());
        }
    }
    names
}

/// The names that manual pages have.
fn pages() -> BTreeSet<String> {
    let entries = fs::read_dir(source_tree().join("docs/man")).expect("manual pages").flatten();
    let names = entries.map(|entry| entry.file_name().into_string().expect("an ASCII name"));
    names.filter_map(|name| Some(name.rsplit_once('.')?.0.to_owned())).collect()
}

/// The names in the README's table of programs: what stands in backquotes before the last column.
fn table() -> BTreeSet<String> {
    let readme = fs::read_to_string(source_tree().join("README.md")).expect("README.md");
    let section = readme.split_once("\n## Programs\n").expect("a section of programs").1;
    let section = section.split_once("\n## ").expect("a next section").0;
    let columns = section.lines().filter_map(|line| line.split('|').nth(2));
    columns.flat_map(|names| names.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

#[test]
fn every_program_of_the_original_is_there_with_its_page_and_its_line_in_the_readme() {
    let (ours, pages, table) = (ours(), pages(), table());
    for name in ORIGINAL {
        assert!(ours.contains(*name), "{name} is missing");
        assert!(pages.contains(*name), "{name} has no manual page");
        assert!(table.contains(*name), "{name} is missing in the README's table");
    }
}

#[test]
fn whatever_else_is_ours_is_documented_too_and_nothing_else_is() {
    let ours = ours();
    let missing = |documented: &BTreeSet<String>| ours.difference(documented).cloned().collect::<Vec<_>>();
    assert_eq!(missing(&pages()), Vec::<String>::new(), "no manual page");
    assert_eq!(table(), ours, "the README's table and the programs");
}
