//! `qmail-newu`: measured cases, byte for byte, and what a bad table leaves.

use crate::fixtures::{Fixtures, decode_base64};
use harness::{MailHome, Outcome};
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn compile(home: &MailHome, text: &[u8]) -> Outcome {
    fs::write(home.path().join("users/assign"), text).expect("users/assign");
    home.call("qmail-newu").run()
}

#[test]
fn the_measured_cases() {
    for case in Fixtures::load("newu").cases() {
        let home = MailHome::new([]);
        let outcome = compile(&home, &case.bytes("stdin"));
        assert_eq!(outcome.code, case.expected_exit(), "{}: {outcome:?}", case.name());
        assert_eq!(outcome.err, crate::fixtures::latin1(case.expected("err")), "{}", case.name());
        let database = fs::read(home.path().join("users/cdb")).ok();
        let expected = case.expected("cdb").as_str().map(decode_base64);
        assert_eq!(database, expected, "{}", case.name());
        assert!(!home.path().join("users/cdb.tmp").exists(), "{}", case.name());
    }
}

#[test]
fn a_bad_table_leaves_the_old_database_in_force() {
    let home = MailHome::new([]);
    assert_eq!(compile(&home, b"=joe:joe:1000:1000:/home/joe:::\n.\n").code, 0);
    let path = home.path().join("users/cdb");
    let before = fs::read(&path).unwrap();
    for bad in
        [&b"=joe\n.\n"[..], b"=joe:joe:1000:1000:/home/joe:::\n", b"", b"\n.\n", b"=a\0:a:1:1:/:::\n.\n"]
    {
        let outcome = compile(&home, bad);
        assert_eq!(outcome.code, 111);
        assert_eq!(outcome.err_text(), "qmail-newu: fatal: bad format in users/assign\n");
        assert_eq!(fs::read(&path).unwrap(), before);
    }
    fs::remove_file(home.path().join("users/assign")).unwrap();
    let outcome = home.call("qmail-newu").run();
    assert_eq!(outcome.code, 111);
    assert_eq!(outcome.err_text(), "qmail-newu: fatal: unable to open users/assign: file does not exist\n");
}

#[test]
fn the_database_can_be_read_by_everybody_and_written_by_its_owner() {
    let home = MailHome::new([]);
    assert_eq!(compile(&home, b".").code, 0);
    let mode = fs::metadata(home.path().join("users/cdb")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
}

#[test]
fn what_a_crash_left_behind_is_replaced() {
    let home = MailHome::new([]);
    fs::write(home.path().join("users/cdb.tmp"), "half a database").unwrap();
    assert_eq!(compile(&home, b".\n").code, 0);
    assert_eq!(fs::read(home.path().join("users/cdb")).unwrap().len(), 2048 + 8 + 16);
}
