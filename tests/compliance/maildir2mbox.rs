//! `maildir2mbox`, and `elq`, `pinq` and `qail`, which begin with it; `maildirwatch`.

use harness::{Call, Outcome, Running, put_program, wait_until};
use std::fs::{self, File, FileTimes};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

/// 2001-09-09 01:46:40 UTC, when the oldest message of a test comes.
const THEN: u64 = 1_000_000_000;

struct Mail {
    directory: tempfile::TempDir,
}

impl Mail {
    fn new() -> Mail {
        let mail = Mail { directory: harness::scratch() };
        for name in ["md/tmp", "md/new", "md/cur"] {
            fs::create_dir_all(mail.path(name)).unwrap();
        }
        mail
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn message(&self, name: &str, text: impl AsRef<[u8]>, after: u64) {
        fs::write(self.path(name), text).unwrap();
        let time = UNIX_EPOCH + Duration::from_secs(THEN + after);
        let file = File::options().write(true).open(self.path(name)).unwrap();
        file.set_times(FileTimes::new().set_modified(time).set_accessed(time)).unwrap();
    }

    fn with_variables(&self, call: Call) -> Call {
        let call = call.env("MAIL", self.path("mbox")).env("MAILTMP", self.path("mbox.tmp"));
        call.env("MAILDIR", self.path("md"))
    }

    fn run(&self) -> Outcome {
        self.with_variables(Call::ours("maildir2mbox")).run()
    }

    fn mbox(&self) -> String {
        fs::read_to_string(self.path("mbox")).unwrap_or_default()
    }

    fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        for part in ["new", "cur"] {
            for entry in fs::read_dir(self.path("md").join(part)).unwrap() {
                left.push(format!("{part}/{}", entry.unwrap().file_name().to_string_lossy()));
            }
        }
        left.sort();
        left
    }
}

#[test]
fn messages_go_behind_the_old_mail_the_oldest_first_and_are_removed_then() {
    let mail = Mail::new();
    fs::write(mail.path("mbox"), "From a\nold\n\n").unwrap();
    mail.message("md/new/1", "Return-Path: <s t@x>\nSubject: 1\n\nFrom here\n>From there\n", 20);
    mail.message("md/cur/2:2,S", "Return-Path: <>\nSubject: 2\n\n", 10);
    mail.message("md/new/3", "Subject: 3\n", 30);
    mail.message("md/new/.hidden", "x", 0);
    let outcome = mail.run();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    assert_eq!(
        mail.mbox(),
        "From a\nold\n\n\
         From MAILER-DAEMON Sun Sep 09 01:46:50 2001\nReturn-Path: <>\nSubject: 2\n\n\n\
         From s-t@x Sun Sep 09 01:47:00 2001\nReturn-Path: <s t@x>\nSubject: 1\n\n>From here\n>>From there\n\n\
         From XXX Sun Sep 09 01:47:10 2001\nSubject: 3\n\n"
    );
    assert_eq!(mail.left(), ["new/.hidden"]);
    assert!(!mail.path("mbox.tmp").exists());
    let mode = fs::metadata(mail.path("mbox")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// The original drops a last line without newline, and removes the message all the same.
#[test]
fn a_message_without_final_newline_keeps_its_last_line() {
    let mail = Mail::new();
    mail.message("md/new/1", "all of it", 0);
    assert_eq!(mail.run().code, 0);
    assert_eq!(mail.mbox(), "From XXX Sun Sep 09 01:46:40 2001\nall of it\n\n");
}

#[test]
fn an_mbox_whose_end_was_cut_does_not_swallow_the_next_message() {
    let mail = Mail::new();
    fs::write(mail.path("mbox"), "From a\ncut").unwrap();
    mail.message("md/new/1", "x\n", 0);
    assert_eq!(mail.run().code, 0);
    assert_eq!(mail.mbox(), "From a\ncut\n\nFrom XXX Sun Sep 09 01:46:40 2001\nx\n\n");
}

#[test]
fn without_messages_nothing_is_touched() {
    let mail = Mail::new();
    assert_eq!(mail.run().code, 0);
    assert!(!mail.path("mbox").exists() && !mail.path("mbox.tmp").exists());
    // One that came this very second waits: more may come behind it.
    let later = UNIX_EPOCH.elapsed().unwrap() + Duration::from_secs(3600);
    fs::write(mail.path("md/new/1"), "x").unwrap();
    let file = File::options().write(true).open(mail.path("md/new/1")).unwrap();
    file.set_modified(UNIX_EPOCH + later).unwrap();
    assert_eq!(mail.run().code, 0);
    assert_eq!(mail.left(), ["new/1"]);
}

#[test]
fn each_missing_variable_is_named() {
    let mail = Mail::new();
    for missing in ["MAIL", "MAILTMP", "MAILDIR"] {
        let mut call = mail.with_variables(Call::ours("maildir2mbox"));
        call.command().env_remove(missing);
        let outcome = call.run();
        let text = format!("maildir2mbox: fatal: {missing} not set\n");
        assert_eq!((outcome.code, outcome.err_text()), (111, text));
    }
    let outcome = mail.with_variables(Call::ours("maildir2mbox")).env("MAILDIR", "/nonexistent").run();
    let text = "maildir2mbox: fatal: unable to chdir to /nonexistent: file does not exist\n";
    assert_eq!((outcome.code, outcome.err_text().as_str()), (111, text));
}

#[test]
fn what_cannot_be_done_is_named_and_no_message_goes() {
    let scan = |mail: &Mail| fs::remove_dir(mail.path("md/cur")).unwrap();
    let create = |mail: &Mail| fs::create_dir(mail.path("mbox.tmp")).unwrap();
    let read = |mail: &Mail| fs::create_dir(mail.path("mbox")).unwrap();
    type Prepare = fn(&Mail);
    let cases: [(Prepare, &str); 3] = [
        (scan, "unable to scan $MAILDIR/cur: file does not exist"),
        (create, "unable to create {}.tmp: is a directory"),
        (read, "unable to read {}: is a directory"),
    ];
    for (prepare, text) in cases {
        let mail = Mail::new();
        mail.message("md/new/1", "x\n", 0);
        prepare(&mail);
        let outcome = mail.run();
        let expected =
            format!("maildir2mbox: fatal: {text}\n").replace("{}", &mail.path("mbox").display().to_string());
        assert_eq!((outcome.code, outcome.err_text()), (111, expected));
        assert_eq!(fs::read(mail.path("md/new/1")).unwrap(), b"x\n");
    }
}

#[test]
fn a_temporary_file_that_is_the_mbox_is_refused() {
    for link in [false, true] {
        let mail = Mail::new();
        fs::write(mail.path("mbox"), "From a\nold\n\n").unwrap();
        mail.message("md/new/1", "x\n", 0);
        symlink(mail.path("mbox"), mail.path("link")).unwrap();
        let name = if link { "link" } else { "mbox" };
        let call = mail.with_variables(Call::ours("maildir2mbox")).env("MAILTMP", mail.path(name));
        let outcome = call.run();
        let text = "maildir2mbox: fatal: MAILTMP is the same file as MAIL\n";
        assert_eq!((outcome.code, outcome.err_text().as_str()), (100, text));
        assert_eq!((mail.mbox().as_str(), mail.left().len()), ("From a\nold\n\n", 1));
    }
}

/// L2
#[test]
fn l2_a_link_in_place_of_the_temporary_file_is_not_written_through() {
    let mail = Mail::new();
    fs::write(mail.path("other"), "precious").unwrap();
    symlink(mail.path("other"), mail.path("mbox.tmp")).unwrap();
    mail.message("md/new/1", "x\n", 0);
    assert_eq!(mail.run().code, 0);
    assert_eq!(fs::read(mail.path("other")).unwrap(), b"precious");
}

#[test]
fn a_link_to_the_mbox_stays_one() {
    let mail = Mail::new();
    fs::write(mail.path("real"), "From a\nold\n\n").unwrap();
    symlink("real", mail.path("mbox")).unwrap();
    mail.message("md/new/1", "x\n", 0);
    assert_eq!(mail.run().code, 0);
    assert!(fs::symlink_metadata(mail.path("mbox")).unwrap().is_symlink());
    assert!(fs::read_to_string(mail.path("real")).unwrap().ends_with("\nx\n\n"));
}

#[test]
fn what_is_no_file_in_the_maildir_is_left_there_with_a_warning() {
    let mail = Mail::new();
    symlink("/etc/passwd", mail.path("md/new/link")).unwrap();
    mail.message("md/new/1", "x\n", 0);
    let outcome = mail.run();
    assert_eq!(outcome.code, 0);
    assert_eq!(
        outcome.err_text(),
        "maildir2mbox: warning: $MAILDIR/new/link is left there: it is not a file\n"
    );
    assert_eq!(mail.mbox().matches("From ").count(), 1);
    assert_eq!(mail.left(), ["new/link"]);
}

#[test]
fn the_lock_of_the_mbox_is_waited_for_and_a_new_file_in_its_place_is_the_mbox() {
    let mail = Mail::new();
    fs::write(mail.path("mbox"), "From a\nold\n\n").unwrap();
    mail.message("md/new/1", "x\n", 0);
    let held = File::open(mail.path("mbox")).unwrap();
    held.lock().unwrap();
    let mut command = Command::new(harness::program("maildir2mbox"));
    command.env("MAIL", mail.path("mbox")).env("MAILTMP", mail.path("tmp")).env("MAILDIR", mail.path("md"));
    let mut running = Running::start(&mut command);
    wait_until("maildir2mbox waits for the lock", || {
        let locks = fs::read_to_string("/proc/locks").unwrap();
        locks.lines().any(|line| line.contains("->") && line.contains(&format!(" {} ", running.pid())))
    });
    assert_eq!(mail.left().len(), 1);
    fs::write(mail.path("newer"), "From a\nold\n\nFrom b\nnewer\n\n").unwrap();
    fs::rename(mail.path("newer"), mail.path("mbox")).unwrap();
    drop(held);
    assert_eq!(running.wait(), 0);
    assert!(mail.mbox().starts_with("From a\nold\n\nFrom b\nnewer\n\nFrom XXX "), "{}", mail.mbox());
    assert!(mail.left().is_empty());
}

/// The texts of the messages of an mbox, each after its `From ` line.
fn texts(mbox: &str) -> Vec<String> {
    let mut texts: Vec<String> = mbox
        .split("\n\n")
        .filter(|message| !message.is_empty())
        .map(|message| message.split_once('\n').map_or("", |(_, text)| text).to_owned())
        .collect();
    texts.sort();
    texts
}

/// R7
#[test]
fn r7_killed_at_any_system_call_no_message_is_lost() {
    let Some(strace) = harness::installed("strace") else {
        return harness::skipped("strace is not installed");
    };
    let mut kills = 0;
    for call in ["openat", "flock", "copy_file_range", "read", "write", "fsync", "rename", "unlink"] {
        for occurrence in 1..40 {
            let mail = Mail::new();
            fs::write(mail.path("mbox"), "From a\nold\n\n").unwrap();
            for number in 1..=3 {
                mail.message(&format!("md/new/{number}"), format!("text {number}\n"), number);
            }
            let traced = Call::path(&strace).args(["-o", "/dev/null", "-e"]);
            let traced = traced.arg(format!("inject={call}:signal=KILL:when={occurrence}"));
            let outcome = mail.with_variables(traced.arg(harness::program("maildir2mbox"))).run();
            if outcome.code == 0 {
                break;
            }
            kills += 1;
            let place = format!("{call} {occurrence}");
            let mbox = mail.mbox();
            assert!(mbox.starts_with("From a\nold\n\n"), "{place}: {mbox}");
            for number in 1..=3 {
                let text = format!("text {number}");
                let is_there = texts(&mbox).contains(&text) || mail.left().contains(&format!("new/{number}"));
                assert!(is_there, "{place}: message {number} is nowhere\n{mbox}");
            }
            assert_eq!(mail.run().code, 0, "{place}");
            let mut found = texts(&mail.mbox());
            assert!(found.len() <= 7, "{place}: {found:?}");
            found.dedup();
            assert_eq!(found, ["old", "text 1", "text 2", "text 3"], "{place}");
            assert!(mail.left().is_empty(), "{place}");
        }
    }
    assert!(kills >= 15, "only {kills} kills");
}

/// R2
#[test]
fn r2_what_the_disk_does_not_take_is_not_removed() {
    let Some(strace) = harness::installed("strace") else {
        return harness::skipped("strace is not installed");
    };
    for (fault, says) in [
        ("fsync:error=EIO:when=1", "unable to write to "),
        ("fsync:error=EIO:when=2", "unable to move "),
        ("rename:error=EXDEV", "unable to move "),
        ("copy_file_range,sendfile,write:error=ENOSPC:when=1+", ""),
    ] {
        let mail = Mail::new();
        fs::write(mail.path("mbox"), "From a\nold\n\n").unwrap();
        mail.message("md/new/1", "text\n", 0);
        let traced = Call::path(&strace).args(["-o", "/dev/null", "-e"]).arg(format!("inject={fault}"));
        let outcome = mail.with_variables(traced.arg(harness::program("maildir2mbox"))).run();
        assert_eq!(outcome.code, 111, "{fault}: {outcome:?}");
        assert!(outcome.err_text().contains(says), "{fault}: {outcome:?}");
        assert_eq!(mail.left(), ["new/1"], "{fault}");
        assert!(mail.mbox().starts_with("From a\nold\n\n"), "{fault}");
        assert!(!mail.path("mbox.tmp").exists(), "{fault}");
    }
}

#[test]
fn the_mail_readers_come_after_the_mail_was_moved() {
    for (program, reader) in [("elq", "elm"), ("pinq", "pine"), ("qail", "Mail"), ("pinq", "alpine")] {
        let mail = Mail::new();
        mail.message("md/new/1", "x\n", 0);
        fs::create_dir(mail.path("bin")).unwrap();
        let script = "#!/bin/sh\necho \"$0 $* $(umask)\"; pwd; cat \"$MAIL\"; exit 7\n";
        put_program(&mail.path("bin").join(reader), script);
        let call = mail.with_variables(Call::ours(program)).args(["-f", "a b; c"]);
        let path = format!("{}:/bin:/usr/bin/nothing", mail.path("bin").display());
        let outcome = call.env("PATH", path).within(Path::new("/")).run();
        let expected = format!(
            "{} -f a b; c {}\n/\nFrom XXX Sun Sep 09 01:46:40 2001\nx\n\n",
            mail.path("bin").join(reader).display(),
            umask()
        );
        if program == "qail" || harness::installed(reader).is_none() {
            assert_eq!((outcome.code, outcome.out_text()), (7, expected), "{outcome:?}");
        }
    }
}

fn umask() -> String {
    Call::path("/bin/sh".as_ref()).args(["-c", "umask"]).run().out_text().trim().to_owned()
}

#[test]
fn without_the_mail_moved_no_reader_is_started() {
    let mail = Mail::new();
    let call = mail.with_variables(Call::ours("elq")).env("MAILDIR", "/nonexistent");
    let outcome = call.run();
    let text = "elq: fatal: unable to chdir to /nonexistent: file does not exist\n";
    assert_eq!((outcome.code, outcome.err_text().as_str()), (111, text));
    let outcome = mail.with_variables(Call::ours("pinq")).env("PATH", "/nonexistent").run();
    let text = "pinq: fatal: unable to run alpine: file does not exist\n";
    assert_eq!((outcome.code, outcome.err_text().as_str()), (111, text));
}

#[test]
fn maildirwatch_clears_the_window_and_shows_what_is_new_in_printable_characters() {
    let mail = Mail::new();
    mail.message("md/new/1", "Return-Path: <a@b>\nDelivered-To: joe@c\nSubject: hi \x1b[2J\n\nx\n", 0);
    mail.message("md/cur/2", "Subject: read already\n\n", 0);
    let output = File::create(mail.path("out")).unwrap();
    let mut command = Command::new(harness::program("maildirwatch"));
    let _running =
        Running::start(command.env("MAILDIR", mail.path("md")).stdin(Stdio::null()).stdout(output));
    wait_until("a summary", || fs::metadata(mail.path("out")).unwrap().len() > 0);
    let shown = fs::read_to_string(mail.path("out")).unwrap();
    assert_eq!(shown, "\x1b[H\x1b[2JFrom <a@b> to joe@c\n  hi ?[2J\n");
    let mut call = Call::ours("maildirwatch");
    call.command().env_remove("MAILDIR");
    let outcome = call.run();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (111, "maildirwatch: fatal: MAILDIR not set\n"));
}
