//! `maildirmake`.

use harness::Call;
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_maildir_is_made_for_its_owner_alone() {
    let directory = harness::scratch();
    let maildir = directory.path().join("Maildir");
    assert_eq!(Call::ours("maildirmake").arg(&maildir).arg("ignored").run().code, 0);
    for name in [".", "tmp", "new", "cur"] {
        let mode = fs::metadata(maildir.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o700, "{name}");
    }
}

#[test]
fn what_is_there_already_is_left_alone() {
    let directory = harness::scratch();
    let outcome = Call::ours("maildirmake").arg(directory.path()).run();
    let text =
        format!("maildirmake: fatal: unable to mkdir {}: file already exists\n", directory.path().display());
    assert_eq!((outcome.code, outcome.err_text()), (111, text));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn without_a_name_it_says_how_it_is_called() {
    let outcome = Call::ours("maildirmake").run();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (100, "maildirmake: usage: maildirmake name\n"));
}
