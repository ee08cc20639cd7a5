//! `qmail-getpw`.

use harness::{Call, MailHome};
use unix::account;

fn fields(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    text.split_terminator('\0').map(str::to_owned).collect()
}

/// In a home of one user, who is not root.
fn ask(local: &str) -> (Vec<String>, String) {
    let home = MailHome::new([]);
    if harness::is_root() {
        use std::os::unix::process::CommandExt;
        home.program("qmail-getpw");
        for name in ["", "alias"] {
            std::os::unix::fs::chown(home.path().join(name), Some(65_534), Some(65_534)).unwrap();
        }
        let mut call = home.call("qmail-getpw");
        call.command().uid(65_534).gid(65_534);
        return finish(call, local, &home);
    }
    finish(home.call("qmail-getpw"), local, &home)
}

fn finish(call: Call, local: &str, home: &MailHome) -> (Vec<String>, String) {
    let outcome = call.arg(local).run();
    assert_eq!(outcome.code, 0, "{outcome:?}");
    (fields(&outcome.out), home.path().join("alias").display().to_string())
}

#[test]
fn an_address_of_nobody_belongs_to_alias_in_the_home_of_the_installation() {
    let (fields, alias) = ask("No.Such-Person");
    assert_eq!((fields[0].as_str(), fields[3].as_str()), ("alias", alias.as_str()));
    assert_eq!(fields[4..], ["-", "No.Such-Person"]);
}

#[test]
fn alias_has_an_address_of_its_own() {
    let (fields, alias) = ask("ALIAS");
    assert_eq!((fields[0].as_str(), fields[3].as_str()), ("alias", alias.as_str()));
    assert_eq!(fields[4..], ["", ""]);
    let (fields, _) = ask("alias-Foo");
    assert_eq!(fields[4..], ["-", "Foo"]);
}

#[test]
fn root_and_accounts_without_a_home_of_their_own_get_no_mail() {
    for name in ["root", "daemon", "bin"] {
        if !matches!(account::find_user(name.as_bytes()), Ok(Some(_))) {
            continue;
        }
        let (fields, _) = ask(name);
        assert_eq!(fields[0], "alias", "{name}");
    }
}

#[test]
fn without_an_address_it_says_how_it_is_called() {
    let outcome = Call::ours("qmail-getpw").run();
    assert_eq!(outcome.code, 100);
}
