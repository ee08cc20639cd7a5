//! `docs/faq.md`: each question of the FAQ has its answer, its row in the table and its test, and the other programs in
//! the table are those that the tests get, in the versions that it names.

use harness::{Call, installed, skipped, source_tree};
use std::collections::BTreeSet;
use std::fs;

/// How many questions each chapter has.
const CHAPTERS: [usize; 8] = [3, 5, 3, 10, 6, 4, 7, 3];
/// The release of Debian that the versions are of.
const DEBIAN: &str = "12";

/// One row of the table.
struct Row {
    id: String,
    anchor: String,
    done: String,
    test: String,
    programs: Vec<(String, String)>,
}

#[test]
fn each_question_has_an_answer_a_row_and_a_test_and_no_test_is_left_out() {
    let (text, rows) = page();
    assert_eq!(rows.iter().map(|row| row.id.clone()).collect::<Vec<_>>(), questions());
    let mut wrong = Vec::new();
    for Row { id, anchor, done, test, .. } in &rows {
        if *test != format!("q{}.rs", id.replace('.', "_")) || done.is_empty() {
            wrong.push(format!("{id}: not its test, or nothing done"));
        }
        if !source_tree().join("tests/faq").join(test).is_file() {
            wrong.push(format!("{id}: there is no tests/faq/{test}"));
        }
        let heading = text.lines().find(|line| line.starts_with(&format!("### {id} ")));
        if heading.map(anchor_of).as_ref() != Some(anchor) {
            wrong.push(format!("{id}: no heading for #{anchor}, but {heading:?}"));
        }
        let answer = heading.map_or("", |heading| section(&text, heading));
        if !answer.contains(&format!("[{test}](../tests/faq/{test})")) {
            wrong.push(format!("{id}: no link to the test in the answer"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let main = fs::read_to_string(source_tree().join("tests/faq/main.rs")).expect("the list of tests");
    let modules = main.lines().filter_map(|line| line.strip_prefix("mod q")?.strip_suffix(';'));
    let modules: BTreeSet<String> = modules.map(|name| format!("q{name}.rs")).collect();
    assert_eq!(modules, rows.iter().map(|row| row.test.clone()).collect());
    let files = fs::read_dir(source_tree().join("tests/faq")).expect("the tests").flatten();
    let files = files.filter_map(|entry| entry.file_name().into_string().ok());
    assert_eq!(modules, files.filter(|name| name.starts_with('q')).collect());
}

#[test]
fn other_programs_are_installed_for_the_tests_in_the_versions_of_the_table() {
    let needed = fs::read_to_string(source_tree().join("tests/install-needed")).expect("the list");
    let needed: BTreeSet<&str> = needed.split_whitespace().collect();
    let is_that_debian = fs::read_to_string("/etc/os-release").is_ok_and(|text| {
        text.contains("\nID=debian\n") && text.contains(&format!("\nVERSION_ID=\"{DEBIAN}\"\n"))
    });
    let dpkg_query = installed("dpkg-query").filter(|_| is_that_debian);
    if dpkg_query.is_none() {
        skipped("the versions in docs/faq.md are compared on the Debian that they are of");
    }
    let mut compared = 0;
    for (name, version) in page().1.into_iter().flat_map(|row| row.programs) {
        assert!(needed.contains(name.as_str()), "tests/install-needed does not have {name}");
        let Some(dpkg_query) = &dpkg_query else { continue };
        let found = Call::path(dpkg_query).args(["-W", "-f", "${Version}", &name]).run();
        // What is only unpacked, or not there: its tests say that they are skipped.
        if found.code != 0 || found.out.is_empty() {
            continue;
        }
        let found = found.out_text();
        let upstream = found.split_once(':').map_or(found.as_str(), |(_, rest)| rest);
        let rest = upstream.strip_prefix(version.as_str());
        let is_same = rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_digit()));
        assert!(is_same, "docs/faq.md has {name} {version}, and {found} is installed");
        compared += 1;
    }
    assert!(dpkg_query.is_none() || compared > 0, "nothing was compared");
}

fn questions() -> Vec<String> {
    let chapters = CHAPTERS.iter().zip(1..);
    chapters
        .flat_map(|(count, chapter)| (1..=*count).map(move |number| format!("{chapter}.{number}")))
        .collect()
}

/// The page, and the rows of its table.
fn page() -> (String, Vec<Row>) {
    let text = fs::read_to_string(source_tree().join("docs/faq.md")).expect("docs/faq.md");
    let rows = text.lines().filter_map(row).collect();
    (text, rows)
}

/// `| [ID](#ANCHOR) | what was done | [FILE](../tests/faq/FILE) | NAME VERSION, … |`
fn row(line: &str) -> Option<Row> {
    let (id, rest) = line.strip_prefix("| [")?.split_once("](#")?;
    let cells: Vec<&str> = rest.trim_end_matches(" |").split(" | ").collect();
    let [anchor, done, test, programs] = cells.as_slice() else { panic!("a row with other cells: {line}") };
    let test = test.strip_prefix('[').and_then(|rest| rest.split_once("](../tests/faq/"));
    let (test, _) = test.unwrap_or_else(|| panic!("no test in the row: {line}"));
    let programs = programs.split(", ").filter(|program| *program != "–").map(|program| {
        let (name, version) = program.split_once(' ').unwrap_or_else(|| panic!("no version: {line}"));
        (name.to_owned(), version.to_owned())
    });
    Some(Row {
        id: id.to_owned(),
        anchor: anchor.trim_end_matches(')').to_owned(),
        done: (*done).to_owned(),
        test: test.to_owned(),
        programs: programs.collect(),
    })
}

/// What stands below a heading, up to the next one.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let below = text.split_once(&format!("\n{heading}\n")).map_or("", |(_, below)| below);
    // A line of a block may begin with one mark: root types it.
    let end = ["\n## ", "\n### "].iter().filter_map(|mark| below.find(mark)).min();
    end.and_then(|end| below.get(..end)).unwrap_or(below)
}

/// What a link to a heading has to be.
fn anchor_of(heading: &str) -> String {
    let words = heading.trim_start_matches(['#', ' ']).to_lowercase();
    let kept = words.chars().filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'));
    kept.map(|char| if char == ' ' { '-' } else { char }).collect()
}

#[test]
fn a_row_is_read_as_it_is_written() {
    let row =
        row("| [4.4](#44-a-b) | sorted | [q4_4.rs](../tests/faq/q4_4.rs) | x 3.2, y-z 1 |").expect("a row");
    assert_eq!((row.id.as_str(), row.anchor.as_str(), row.done.as_str()), ("4.4", "44-a-b", "sorted"));
    let programs = [("x", "3.2"), ("y-z", "1")].map(|(name, version)| (name.to_owned(), version.to_owned()));
    assert_eq!((row.test.as_str(), row.programs), ("q4_4.rs", programs.to_vec()));
    assert_eq!(anchor_of("### 4.8 /etc/aliases"), "48-etcaliases");
    assert_eq!(section("x\n### 1 a\n# b\n### 2 c\nd", "### 1 a"), "# b");
    assert_eq!(questions().len(), 41);
}
