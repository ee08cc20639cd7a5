//! `tcprules`.

use harness::{Call, Outcome, assert, assert_eq, both, installed, program, scratch, skipped};
use std::fs;
use std::path::Path;

fn compile(tcprules: &Path, directory: &Path, rules: impl AsRef<[u8]>) -> Outcome {
    Call::path(tcprules).within(directory).args(["rules.cdb", "rules.tmp"]).input(rules).run()
}

/// The database that a program makes of the rules.
fn database(tcprules: &Path, rules: &[u8]) -> Vec<u8> {
    let directory = scratch();
    let outcome = compile(tcprules, directory.path(), rules);
    assert_eq!((outcome.code, outcome.err_text().contains("fatal")), (0, false), "{}", outcome.err_text());
    fs::read(directory.path().join("rules.cdb")).expect("a database")
}

/// Our database is the reference's, byte for byte.
fn same(rules: impl AsRef<[u8]>) {
    let rules = rules.as_ref();
    let Some(reference) = installed("tcprules") else {
        return skipped("the reference program tcprules is not installed");
    };
    let (theirs, ours) = (database(&reference, rules), database(&program("tcprules"), rules));
    assert!(theirs == ours, "another database for {:?}", String::from_utf8_lossy(rules));
}

#[test]
fn no_rules_make_an_empty_database() {
    both("tcprules", |tcprules| assert_eq!(database(tcprules, b"").len(), 2048));
    same("");
    same("\n\n# nothing\n   \n\t\n");
}

#[test]
fn the_rules_of_the_manual_make_the_same_database() {
    same("192.0.2.4:deny\n192.0.2.:allow,RELAYCLIENT=\"\"\n=.example.org:allow\n=:allow\n:deny\n");
}

#[test]
fn odd_rules_make_the_same_database() {
    for rules in [
        "1.2.3.4:allow",
        "1.2.3.4:deny,X=/a:b,c\"/,Y=xzx\t \n",
        " 1.2.3.4:allow\n:allow\n",
        "1.2.3.4:allow,=\"\"\n1.2.3.4:deny\n",
        "fe80:allow\n",
        "1.2.3.4:allow,A B==C=\n",
        "nocolon\n1.2.3.4:deny\nnocolon either",
        "\u{e9}:allow,N=\"\u{e9}\"\n",
        "1.2.3.4:allow,X= a-b ,Y=\r\r\n#",
    ] {
        same(rules);
    }
}

#[test]
fn ranges_make_the_same_database() {
    for address in [
        "1.2.3.1-9",
        "1.2.3.250-300",
        "1.2-3.4",
        "1.2-3.",
        "10.-3",
        "10.3-",
        "-",
        "1-2.3-4",
        "9-1",
        "1.5-5",
        "joe@1.2.3.1-2",
        "=foo-bar.com",
        "1.2.3.007-9",
        "1.2.3.18446744073709551615-3",
        "0-255",
    ] {
        same(format!("{address}:deny\n{address}:allow,X=\"{address}\"\n"));
    }
}

#[test]
fn thousands_of_generated_rules_make_the_same_database() {
    let mut random = Random(20_260_101);
    for _ in 0..20 {
        let rules: Vec<String> = (0..500).map(|_| random.rule()).collect();
        same(rules.concat());
    }
}

/// A small generator of rules; the same ones in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        let at = self.below(choices.len() as u64);
        choices[usize::try_from(at).expect("a small number")]
    }

    fn rule(&mut self) -> String {
        let number = |random: &mut Random| random.below(300);
        let address = match self.below(9) {
            0 => String::new(),
            1 => format!("{}.", number(self)),
            2 => format!("{}.{}.", number(self), number(self)),
            3 => format!("{}.{}.{}-{}", number(self), number(self), number(self), number(self)),
            4 => format!("{}.{}-{}.{}", number(self), number(self), number(self), number(self)),
            5 => format!("=.{}.example", number(self)),
            6 => format!("joe{}@10.0.0.{}", number(self), number(self)),
            7 => "# a comment ".to_owned(),
            _ => format!("{}.{}.{}.{}", number(self), number(self), number(self), number(self)),
        };
        let verdict = self.pick(&["allow", "deny"]);
        let mut rule = format!("{address}:{verdict}");
        for _ in 0..self.below(4) {
            let quote = self.pick(&["\"", "/", "'", "z", "="]);
            let name = self.pick(&["RELAYCLIENT", "", "A", "DATABYTES"]);
            let value = self.pick(&["", "1000", "@fixme", ":,#", "a-b"]);
            rule.push_str(&format!(",{name}={quote}{value}{quote}"));
        }
        rule.push_str(self.pick(&["\n", " \n", "\t\t\n", "\n\n"]));
        rule
    }
}

#[test]
fn a_line_that_is_no_rule_is_named_and_the_database_stays() {
    for line in [
        "1.2.3.4:denyx",
        "1.2.3.4:allow X",
        "1.2.3.4: allow",
        "1.2.3.4:allow,",
        "1.2.3.4:allow,X=",
        "1.2.3.4:allow,X=\"",
        "1.2.3.4:allow,X",
        "1.2.3.4:",
        "1.2-3-4:allow",
        "a-b:allow",
        ":x:",
    ] {
        both("tcprules", |tcprules| {
            let directory = scratch();
            let cdb = directory.path().join("rules.cdb");
            fs::write(&cdb, "as it was").expect("a file");
            let outcome = compile(tcprules, directory.path(), format!("# first\n{line}  \n:deny\n"));
            assert_eq!(outcome.code, 100, "{line}");
            let start = format!("tcprules: fatal: unable to parse this line: {line}");
            assert!(outcome.err_text().starts_with(&start), "{}", outcome.err_text());
            assert_eq!(fs::read(&cdb).expect("a file"), b"as it was");
        });
    }
}

#[test]
fn our_complaint_has_the_line_number_and_leaves_no_temporary_file() {
    let directory = scratch();
    let outcome = compile(&program("tcprules"), directory.path(), "# first\n\n1.2.3.4:den\x1by\n");
    assert_eq!(
        outcome.err_text(),
        "tcprules: fatal: unable to parse this line: 1.2.3.4:den?y (line 3 of standard input)\n"
    );
    assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 0);
}

/// A rule that is not quite one is named, with its line, and what was in force stays so.
#[test]
fn bad_input_is_named_by_its_line_and_the_database_stays() {
    let long = format!("1.2.3.4:allow,A=\"{}", "x".repeat(1 << 20));
    for (line, shown) in [
        ("10.0.0.0/33:deny", "10.0.0.0/33:deny"),
        ("10.0.0.1/8:deny", "10.0.0.1/8:deny"),
        ("10.0.0.0/:deny", "10.0.0.0/:deny"),
        ("10.0.0.0/8:deny\n10.0.0.0/8:allow", "10.0.0.0/8:allow"),
        ("2001:db8::/129:deny", "2001:db8::/129:deny"),
        ("1.2.3.4:allow,A=\"odd", "1.2.3.4:allow,A=\"odd"),
        ("1.2.3.4:allow,A=\"\0D\"", "1.2.3.4:allow,A=\"?D\""),
        ("1.2.3.4\0:deny", "1.2.3.4?:deny"),
        (&long, &long),
    ] {
        let directory = scratch();
        let cdb = directory.path().join("rules.cdb");
        fs::write(&cdb, "as it was").expect("a file");
        let outcome = compile(&program("tcprules"), directory.path(), format!("# first\n{line}\n:allow\n"));
        let number = 2 + line.matches('\n').count();
        let expected = format!(
            "tcprules: fatal: unable to parse this line: {shown} (line {number} of standard input)\n"
        );
        assert!(outcome.code == 100 && outcome.err_text() == expected, "{}", outcome.err_text());
        assert_eq!(fs::read(&cdb).expect("a file"), b"as it was");
        assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 1);
    }
}

#[test]
fn a_rule_of_a_million_bytes_is_a_rule() {
    same(format!("1.2.3.4:allow,A=\"{}\"\n:deny\n", "x".repeat(1 << 20)));
}

#[test]
fn our_warning_names_a_line_without_a_colon() {
    let outcome = compile(&program("tcprules"), scratch().path(), ":allow\n1.2.3.4\n");
    assert_eq!(outcome.code, 0);
    let expected = "tcprules: warning: no colon, so no rule: 1.2.3.4 (line 2 of standard input)\n";
    assert_eq!(outcome.err_text(), expected);
}

#[test]
fn a_database_replaces_the_old_one_and_may_be_read_by_all() {
    use std::os::unix::fs::PermissionsExt;
    both("tcprules", |tcprules| {
        let directory = scratch();
        fs::write(directory.path().join("rules.cdb"), "old").expect("a file");
        fs::write(directory.path().join("rules.tmp"), "left behind").expect("a file");
        let outcome = compile(tcprules, directory.path(), ":deny\n");
        assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
        let metadata = fs::metadata(directory.path().join("rules.cdb")).expect("a database");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o644);
        assert!(!directory.path().join("rules.tmp").exists());
    });
}

#[test]
fn trouble_with_files_is_temporary_and_named() {
    both("tcprules", |tcprules| {
        let directory = scratch();
        let run = |cdb: &str, tmp: &str| {
            let outcome =
                Call::path(tcprules).within(directory.path()).args([cdb, tmp]).input(":deny\n").run();
            assert_eq!(outcome.code, 111);
            outcome.err_text()
        };
        fs::create_dir(directory.path().join("dir")).expect("a directory");
        assert_eq!(
            run("a.cdb", "none/a.tmp"),
            "tcprules: fatal: unable to create none/a.tmp: file does not exist\n"
        );
        assert_eq!(run("a.cdb", "dir"), "tcprules: fatal: unable to create dir: is a directory\n");
        assert_eq!(run("dir", "a.tmp"), "tcprules: fatal: unable to move a.tmp to dir: is a directory\n");
    });
}

#[test]
fn input_that_cannot_be_read_leaves_the_database() {
    both("tcprules", |tcprules| {
        let directory = scratch();
        let cdb = directory.path().join("rules.cdb");
        fs::write(&cdb, "as it was").expect("a file");
        let outcome = Call::path(Path::new("/bin/sh"))
            .within(directory.path())
            .args(["-c", "exec \"$0\" rules.cdb rules.tmp < /"])
            .arg(tcprules)
            .run();
        let expected = "tcprules: fatal: unable to read input: is a directory\n";
        assert_eq!((outcome.code, outcome.err_text().as_str()), (111, expected));
        assert_eq!(fs::read(&cdb).expect("a file"), b"as it was");
    });
}

#[test]
fn two_names_are_needed() {
    both("tcprules", |tcprules| {
        let outcome = Call::path(tcprules).arg("rules.cdb").run();
        assert_eq!(outcome.code, 100);
        assert_eq!(outcome.err_text(), "tcprules: usage: tcprules rules.cdb rules.tmp\n");
    });
}

#[test]
fn our_database_is_not_its_own_temporary_file() {
    let directory = scratch();
    fs::write(directory.path().join("x"), "as it was").expect("a file");
    let outcome = Call::ours("tcprules").within(directory.path()).args(["x", "x"]).input(":deny\n").run();
    assert_eq!(outcome.code, 100);
    assert_eq!(fs::read(directory.path().join("x")).expect("a file"), b"as it was");
}
