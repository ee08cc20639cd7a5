//! Programs that change one thing and then run another, and the small tools beside them.

use harness::{Call, Running, copy_program, is_root, program, scratch, skipped, wait_until};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::process::{Command, Stdio};

const SHOW_IDENTITY: &str = "echo $(id -u) $(id -g) $(id -G)";

#[test]
fn setuser_gives_the_user_the_group_and_no_other_group() {
    if !is_root() {
        return skipped("changing the user needs root");
    }
    let nobody = unix::account::find_user(b"nobody").expect("the user database").expect("nobody");
    let outcome = Call::ours("setuser").args(["nobody", "sh", "-c", SHOW_IDENTITY]).run();
    assert_eq!(outcome.out_text(), format!("{} {gid} {gid}\n", nobody.uid, gid = nobody.gid));
    assert_eq!(outcome.code, 0);
}

#[test]
fn setuser_keeps_environment_directory_and_exit_status() {
    if !is_root() {
        return skipped("changing the user needs root");
    }
    let scratch = scratch();
    let script = "echo $KEPT $HOME $USER; pwd; exit 7";
    let outcome = Call::ours("setuser")
        .args(["nobody", "sh", "-c", script])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("KEPT", "yes")
        .within(scratch.path())
        .run();
    assert_eq!(outcome.out_text(), format!("yes\n{}\n", scratch.path().display()));
    assert_eq!(outcome.code, 7);
}

#[test]
fn setuser_says_what_is_wrong() {
    let cases: [(&[&str], i32, &str); 4] = [
        (&[], 100, "setuser: usage: setuser username program [ arg ... ]\n"),
        (&["nobody"], 100, "setuser: usage: setuser username program [ arg ... ]\n"),
        (&["no-such-user", "true"], 111, "setuser: fatal: unknown username no-such-user\n"),
        (&["", "true"], 111, "setuser: fatal: unknown username \n"),
    ];
    for (arguments, code, err) in cases {
        let outcome = Call::ours("setuser").args(arguments).run();
        assert_eq!((outcome.code, outcome.err_text().as_str()), (code, err));
    }
}

#[test]
fn setuser_names_a_program_that_cannot_be_run() {
    if !is_root() {
        return skipped("changing the user needs root");
    }
    let outcome = Call::ours("setuser").args(["nobody", "/nowhere/program"]).run();
    assert_eq!(outcome.code, 111);
    assert_eq!(outcome.err_text(), "setuser: fatal: unable to run /nowhere/program: file does not exist\n");
}

#[test]
fn setuser_without_root_runs_nothing() {
    if !is_root() {
        return skipped("becoming somebody who is not root needs root");
    }
    let scratch = scratch();
    // nobody may be unable to reach the build directory.
    let copy = scratch.path().join("setuser");
    copy_program("setuser", &copy);
    let outcome =
        Call::ours("setuser").args(["nobody", "./setuser", "nobody", "true"]).within(scratch.path()).run();
    assert_eq!(outcome.code, 111);
    assert_eq!(outcome.err_text(), "setuser: fatal: unable to setgid: permission denied\n");
}

#[test]
fn errorsto_appends_the_errors_of_the_program_to_a_file() {
    let scratch = scratch();
    for word in ["first", "second"] {
        let script = format!("echo {word} >&2; echo out; exit 3");
        let outcome =
            Call::ours("errorsto").args(["errors", "sh", "-c", &script]).within(scratch.path()).run();
        assert_eq!(
            (outcome.code, outcome.out_text().as_str(), outcome.err_text().as_str()),
            (3, "out\n", "")
        );
    }
    let file = scratch.path().join("errors");
    assert_eq!(fs::read_to_string(&file).expect("the file"), "first\nsecond\n");
    assert_eq!(fs::metadata(&file).expect("the file").permissions().mode() & 0o777, 0o600);
}

#[test]
fn errorsto_says_nothing_itself() {
    let scratch = scratch();
    let cases: [(&[&str], i32); 4] =
        [(&[], 100), (&["errors"], 100), (&["missing/errors", "true"], 111), (&["errors", "./nowhere"], 111)];
    for (arguments, code) in cases {
        let outcome = Call::ours("errorsto").args(arguments).within(scratch.path()).run();
        assert_eq!((outcome.code, outcome.out_text() + &outcome.err_text()), (code, String::new()));
    }
    assert_eq!(fs::read(scratch.path().join("errors")).expect("the file"), b"");
}

#[test]
fn fifo_copies_from_one_writer_after_another() {
    let scratch = scratch();
    let pipe = scratch.path().join("pipe");
    let out = scratch.path().join("out");
    let mut command = Command::new(program("fifo"));
    command.arg(&pipe).stdout(fs::File::create(&out).expect("a file"));
    let mut copier = Running::start(&mut command);
    wait_until("the pipe", || unix::fifo::open_writer(&pipe).is_ok());
    let mut expected = String::new();
    for word in ["first", "second"] {
        let mut writer = fs::OpenOptions::new().write(true).open(&pipe).expect("the pipe");
        writer.write_all(word.as_bytes()).expect("room in the pipe");
        drop(writer);
        expected.push_str(word);
        wait_until(word, || fs::read_to_string(&out).is_ok_and(|text| text == expected));
    }
    assert!(copier.is_alive());
    let kind = fs::metadata(&pipe).expect("the pipe");
    assert!(kind.file_type().is_fifo());
    assert_eq!(kind.permissions().mode() & 0o777, 0o600);
}

#[test]
fn fifo_copies_a_regular_file_once() {
    let scratch = scratch();
    fs::write(scratch.path().join("plain"), "text").expect("a file");
    let outcome = Call::ours("fifo").args(["plain", "ignored"]).within(scratch.path()).run();
    assert_eq!((outcome.code, outcome.out_text().as_str()), (111, "text"));
    assert_eq!(outcome.err_text(), "fifo: fatal: end of file on plain\n");
}

#[test]
fn fifo_says_what_is_wrong() {
    let scratch = scratch();
    fs::create_dir(scratch.path().join("directory")).expect("a directory");
    let cases: [(&[&str], i32, &str); 3] = [
        (&[], 100, "fifo: usage: fifo filename\n"),
        (&["missing/pipe"], 111, "fifo: fatal: unable to create missing/pipe: file does not exist\n"),
        (&["directory"], 111, "fifo: fatal: unable to open directory for writing: is a directory\n"),
    ];
    for (arguments, code, err) in cases {
        let outcome = Call::ours("fifo").args(arguments).within(scratch.path()).run();
        assert_eq!((outcome.code, outcome.err_text().as_str()), (code, err));
    }
}

#[test]
fn fifo_ends_when_its_output_cannot_be_written() {
    let scratch = scratch();
    fs::write(scratch.path().join("plain"), "text").expect("a file");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("a full device");
    let mut command = Command::new(program("fifo"));
    command.arg("plain").current_dir(scratch.path()).stdout(full).stderr(Stdio::piped());
    let output = command.output().expect("fifo");
    assert_eq!(output.status.code(), Some(111));
    assert_eq!(output.stderr, b"fifo: fatal: unable to write output: out of disk space\n");
}

#[test]
fn testfilelock_says_whether_a_lock_is_held() {
    let scratch = scratch();
    let path = scratch.path().join("lock");
    let file = fs::File::create(&path).expect("a lock file");
    let ask = || {
        let outcome = Call::ours("testfilelock").arg(&path).run();
        assert_eq!(outcome.out_text() + &outcome.err_text(), "");
        outcome.code
    };
    assert_eq!(ask(), 100);
    unix::lock::try_exclusive(&file).expect("the lock");
    assert_eq!(ask(), 0);
    drop(file);
    assert_eq!(ask(), 100);
}

#[test]
fn testfilelock_makes_no_file() {
    let scratch = scratch();
    let outcome = Call::ours("testfilelock").arg("missing").within(scratch.path()).run();
    assert_eq!(outcome.code, 111);
    assert_eq!(outcome.err_text(), "testfilelock: fatal: unable to open missing: file does not exist\n");
    assert!(!scratch.path().join("missing").exists());
    let outcome = Call::ours("testfilelock").run();
    assert_eq!(
        (outcome.code, outcome.err_text().as_str()),
        (100, "testfilelock: usage: testfilelock filename\n")
    );
}
