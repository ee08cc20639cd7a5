//! `tcprulescheck`.

use harness::{Call, Outcome, assert_eq, both, scratch};
use std::fs;
use std::path::{Path, PathBuf};

/// What a peer is described by: address, name, ident.
type Peer<'a> = (Option<&'a str>, Option<&'a str>, Option<&'a str>);

fn compiled(directory: &Path, rules: &str) -> PathBuf {
    let made = Call::ours("tcprules").within(directory).args(["rules.cdb", "rules.tmp"]).input(rules).run();
    assert_eq!(made.code, 0, "{}", made.err_text());
    directory.join("rules.cdb")
}

fn check(program: &Path, database: &Path, (ip, host, info): Peer<'_>) -> Outcome {
    let mut call = Call::path(program).env_clear().arg(database);
    for (name, value) in [("TCPREMOTEIP", ip), ("TCPREMOTEHOST", host), ("TCPREMOTEINFO", info)] {
        if let Some(value) = value {
            call = call.env(name, value);
        }
    }
    call.run()
}

/// Each peer gets this report, from the reference and from us.
fn expect(rules: &str, cases: &[(Peer<'_>, &str)]) {
    let directory = scratch();
    let database = compiled(directory.path(), rules);
    both("tcprulescheck", |program| {
        for (peer, report) in cases {
            let outcome = check(program, &database, *peer);
            assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""), "{peer:?}");
            assert_eq!(outcome.out_text(), *report, "{peer:?}");
        }
    });
}

#[test]
fn the_most_particular_rule_decides_alone() {
    let rules = "joe@1.2.3.4:allow,A=\"1\"\njoe@=a.b.c:allow,A=\"2\"\n1.2.3.4:allow,A=\"3\"\n\
        =a.b.c:allow,A=\"4\"\n1.2.3.:allow,A=\"5\"\n1.:deny\n=.b.c:allow,A=\"7\"\n=:allow,A=\"8\"\n:deny\n";
    let allowed = |key: &str, value: &str| {
        format!("rule {key}:\nset environment variable A={value}\nallow connection\n")
    };
    expect(
        rules,
        &[
            ((Some("1.2.3.4"), Some("a.b.c"), Some("joe")), &allowed("joe@1.2.3.4", "1")),
            ((Some("9.9.9.9"), Some("a.b.c"), Some("joe")), &allowed("joe@=a.b.c", "2")),
            ((Some("1.2.3.4"), Some("a.b.c"), Some("ann")), &allowed("1.2.3.4", "3")),
            ((Some("9.9.9.9"), Some("a.b.c"), None), &allowed("=a.b.c", "4")),
            ((Some("1.2.3.5"), Some("x.b.c"), None), &allowed("1.2.3.", "5")),
            ((Some("1.2.4.5"), Some("x.b.c"), None), "rule 1.:\ndeny connection\n"),
            ((Some("9.9.9.9"), Some("x.b.c"), None), &allowed("=.b.c", "7")),
            ((Some("9.9.9.9"), Some("x"), None), &allowed("=", "8")),
            ((Some("9.9.9.9"), Some(""), None), &allowed("=", "8")),
            ((Some("9.9.9.9"), None, None), "rule :\ndeny connection\n"),
            ((None, None, None), "rule :\ndeny connection\n"),
        ],
    );
}

#[test]
fn without_a_rule_the_default_is_to_allow() {
    expect("1.:deny\n", &[((Some("2.2.2.2"), None, None), "default:\nallow connection\n")]);
    expect("", &[((None, Some("a.b"), Some("x")), "default:\nallow connection\n")]);
    expect("0.0.0.0:deny\n", &[((None, None, None), "rule 0.0.0.0:\ndeny connection\n")]);
}

#[test]
fn the_first_of_two_rules_for_a_key_counts_and_a_denial_hides_variables() {
    expect("1.:deny,A=\"b\"\n1.:allow\n", &[((Some("1.1.1.1"), None, None), "rule 1.:\ndeny connection\n")]);
    expect("@1.1.1.1:deny\n", &[((Some("1.1.1.1"), None, Some("")), "rule @1.1.1.1:\ndeny connection\n")]);
}

#[test]
fn a_database_that_cannot_be_read_is_temporary() {
    both("tcprulescheck", |program| {
        let directory = scratch();
        let path = directory.path().join("rules.cdb");
        let outcome = check(program, &path, (None, None, None));
        assert_eq!(outcome.code, 111);
        let expected =
            format!("tcprulescheck: fatal: unable to read {}: file does not exist\n", path.display());
        assert_eq!(outcome.err_text(), expected);
        fs::write(&path, [0xff; 3000]).expect("a file");
        let outcome = check(program, &path, (Some("1.2.3.4"), None, None));
        assert_eq!(outcome.code, 111);
        let expected = format!("tcprulescheck: fatal: unable to read {}: protocol error\n", path.display());
        assert_eq!(outcome.err_text(), expected);
    });
}

#[test]
fn a_name_is_needed() {
    both("tcprulescheck", |program| {
        let outcome = Call::path(program).run();
        assert_eq!(outcome.code, 100);
        assert_eq!(outcome.err_text(), "tcprulescheck: usage: tcprulescheck rules.cdb\n");
    });
}

#[test]
fn our_ipv6_rules_hold_for_every_spelling() {
    let directory = scratch();
    let rules = "2001:DB8:0::5:allow,A=\"1\"\n2001:db8:1::deny\n2001:db8::allow,A=\"2\"\n:deny\n";
    let database = compiled(directory.path(), rules);
    let ours = harness::program("tcprulescheck");
    let report = |ip: &str| check(&ours, &database, (Some(ip), None, None)).out_text();
    let one = "rule 2001:db8::5:\nset environment variable A=1\nallow connection\n";
    assert_eq!(report("2001:db8::5"), one);
    assert_eq!(report("2001:0DB8:0:0:0:0:0:5"), one);
    assert_eq!(report("2001:db8:1:2::3"), "rule 2001:db8:1::\ndeny connection\n");
    let two = "rule 2001:db8::\nset environment variable A=2\nallow connection\n";
    assert_eq!(report("2001:db8::6"), two);
    assert_eq!(report("2001:db9::6"), "rule :\ndeny connection\n");
}
