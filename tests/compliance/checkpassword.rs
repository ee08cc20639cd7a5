//! `checkpassword`. No package has the original: what is tested is its interface, which other programs rely on.

use harness::{
    Call, MailHome, OrdinaryUser, Outcome, TcpServer, is_root, program, put_program, scratch, skipped,
};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A call that finds these bytes on descriptor 3.
fn check(input: &[u8], words: &[&str]) -> Call {
    let call = Call::path(Path::new("/bin/sh")).args(["-c", "exec \"$@\" 3<&0 </dev/null", "sh"]);
    call.arg(program("checkpassword")).args(words).input(input)
}

/// The status of a call that has to say nothing.
fn status(outcome: &Outcome) -> i32 {
    assert_eq!((outcome.out_text(), outcome.err_text()), (String::new(), String::new()));
    outcome.code
}

fn credentials(name: &str, password: &str) -> Vec<u8> {
    format!("{name}\0{password}\0<1.2@pop.example>\0").into_bytes()
}

#[test]
fn wrong_calls_have_statuses_and_no_words() {
    let no_user = credentials("no-such-user", "x");
    assert_eq!(status(&check(&no_user, &[]).run()), 2);
    assert_eq!(status(&check(&no_user, &["true"]).run()), 1);
    for input in [&b""[..], b"joe", b"joe\0", b"joe\0password"] {
        assert_eq!(status(&check(input, &["true"]).run()), 2, "{input:?}");
    }
    for (length, expected) in [(512, 1), (513, 1), (100_000, 1)] {
        let mut input = no_user.clone();
        input.resize(length, b'x');
        assert_eq!(status(&check(&input, &["true"]).run()), expected, "{length}");
    }
    // What is too long is refused before it is looked into.
    assert_eq!(status(&check(&[b'x'; 512], &["true"]).run()), 2);
    assert_eq!(status(&check(&[b'x'; 513], &["true"]).run()), 1);
    let closed = Call::path(Path::new("/bin/sh")).args(["-c", "exec \"$@\" 3<&-", "sh"]);
    assert_eq!(status(&closed.arg(program("checkpassword")).arg("true").run()), 111);
    let directory = Call::path(Path::new("/bin/sh")).args(["-c", "exec \"$@\" 3</", "sh"]);
    assert_eq!(status(&directory.arg(program("checkpassword")).arg("true").run()), 111);
}

/// `two words`, by two methods.
const TWO_WORDS: [&str; 2] = [
    "$6$salt$lULpcGB/Tk.lmGvidlHLAk3npmHK9nWte1pWipipLZakSBRcVSb8/XqfplNIbbo15HTzul0A2ItxiwMmt8tcD.",
    "$y$j9T$/DSqAtIXqVmEBIS1CbIDM/$nU5bpHTZOHYwRSChUk/RdywAzx4VvpUdzZTpqKZ4BG0",
];
/// No password at all, by a method.
const NOTHING: &str =
    "$6$salt$r6qPcj2UeIkfklWHvleGJk8OKTInFYR/fxyuwcC656IWiZBpIFZ9.hMRG2ZQnnyMFrKOe461f9iT9Ljn0wJ5l.";

/// An account whose password is `two words`.
fn user(name: &str, place: &Path) -> Option<OrdinaryUser> {
    if !is_root() {
        skipped("only root can make an account and check its password");
        return None;
    }
    let user = OrdinaryUser::new(name, place);
    user.set_hash(TWO_WORDS[0]);
    Some(user)
}

#[test]
fn the_right_password_makes_the_program_run_as_the_user() {
    let place = scratch();
    let Some(user) = user("suite-check-a", place.path()) else { return };
    let show = "id -u; id -g; id -G; pwd; echo \"$USER $HOME $LOGNAME $OTHER\"; env | grep ^SHELL=; [ ! -e /dev/fd/3 ]; echo $?; exit 7";
    let call = check(&credentials("suite-check-a", "two words"), &["sh", "-c", show]);
    let call =
        call.env_clear().env("PATH", "/usr/bin:/bin").env("LOGNAME", "l").env("OTHER", "o").env("SHELL", "x");
    let outcome = call.run();
    let (uid, gid) = (user.account.uid, user.account.gid);
    let home = user.home.display();
    let line = fs::read_to_string("/etc/passwd").expect("the accounts");
    let line = line.lines().find(|line| line.starts_with("suite-check-a:")).expect("the user's line");
    let shell = line.rsplit(':').next().expect("a shell");
    let expected = format!("{uid}\n{gid}\n{gid}\n{home}\nsuite-check-a {home} l o\nSHELL={shell}\n0\n");
    assert_eq!((outcome.code, outcome.out_text(), outcome.err_text()), (7, expected, String::new()));
}

#[test]
fn a_password_is_right_by_whatever_method_it_was_hashed() {
    let place = scratch();
    let Some(user) = user("suite-check-b", place.path()) else { return };
    let tries = |password: &str| status(&check(&credentials("suite-check-b", password), &["true"]).run());
    for hash in TWO_WORDS {
        user.set_hash(hash);
        assert_eq!(tries("two words"), 0, "{hash}");
        for wrong in ["two word", "two words ", "", "Two words", hash] {
            assert_eq!(tries(wrong), 1, "{wrong:?}");
        }
    }
    // Neither word has to be followed by a third.
    user.set_hash(TWO_WORDS[0]);
    assert_eq!(status(&check(b"suite-check-b\0two words\0", &["true"]).run()), 0);
    assert_eq!(status(&check(b"suite-check-b\0two words\0stamp", &["true"]).run()), 0);
    user.set_hash(NOTHING);
    assert_eq!((tries(""), tries("two words")), (0, 1));
}

/// No password, a locked account, and a hash that crypt(3) does not know.
#[test]
fn what_is_no_hash_lets_nobody_in() {
    let place = scratch();
    let Some(user) = user("suite-check-c", place.path()) else { return };
    for hash in ["", "!", "*", "x", "!!", "$99$a$b", "*0", &format!("!{}", TWO_WORDS[0])] {
        user.set_hash(hash);
        for password in ["", "x", "two words", hash] {
            let input = credentials("suite-check-c", password);
            assert_eq!(status(&check(&input, &["true"]).run()), 1, "{hash:?} {password:?}");
        }
    }
}

#[test]
fn trouble_after_the_login_is_temporary() {
    let place = scratch();
    let Some(user) = user("suite-check-d", place.path()) else { return };
    let right = credentials("suite-check-d", "two words");
    assert_eq!(status(&check(&right, &["no-such-program"]).run()), 111);
    assert_eq!(status(&check(&right, &["/"]).run()), 111);
    // Who is not root cannot read the hash, and could not become the user.
    let mut call = check(&right, &["true"]);
    call.command().uid(user.account.uid).gid(user.account.gid);
    assert_ne!(status(&call.run()), 0);
    fs::remove_dir(&user.home).expect("an empty home");
    assert_eq!(status(&check(&right, &["true"]).run()), 111);
}

/// The whole way of a mail reader: tcpserver, qmail-popup, checkpassword, qmail-pop3d.
#[test]
fn fetchmail_logs_in_with_the_password_of_the_system() {
    let Some(fetchmail) = harness::installed("fetchmail") else {
        return skipped("fetchmail is not installed");
    };
    let place = scratch();
    let Some(user) = user("suite-check-e", place.path()) else { return };
    let programs = MailHome::new([]);
    let words = ["qmail-popup", "checkpassword", "qmail-pop3d"].map(|name| programs.program(name));
    let [popup, check, pop3d] = words.each_ref().map(|path| path.to_str().expect("ASCII"));
    let words = [popup, "pop.example", check, pop3d, "Maildir"];
    let server = TcpServer::start(&program("tcpserver"), &["-HR", "-lpop.example"], "127.0.0.1", &words, &[]);
    for part in ["Maildir", "Maildir/tmp", "Maildir/new", "Maildir/cur", "got"] {
        fs::create_dir(user.home.join(part)).expect("a maildir");
        user.owns(&user.home.join(part));
    }
    user.write("Maildir/new/1000.1.h", "Subject: hello\n\nbody\n");
    let file =
        fs::File::options().append(true).open(user.home.join("Maildir/new/1000.1.h")).expect("a message");
    // One of the same second would be shown the next time.
    file.set_modified(SystemTime::now() - Duration::from_secs(3600)).expect("its date");
    let deliver = place.path().join("deliver");
    put_program(&deliver, format!("#!/bin/sh\ncat >'{}'/got/$$\n", user.home.display()));
    let fetch = |password: &str| {
        let rc = format!(
            "poll 127.0.0.1 protocol pop3 port {} username suite-check-e password \"{password}\" sslproto '' mda \"{}\" \
             norewrite nokeep fetchall\n",
            server.port(),
            deliver.display()
        );
        user.write(".fetchmailrc", rc);
        let path = user.home.join(".fetchmailrc");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode");
        user.call(&fetchmail).env("HOME", &user.home).args(["-v", "--nosyslog", "-f"]).arg(path).run()
    };
    // 3: authentication failed.
    let refused = fetch("two  words");
    assert_eq!(refused.code, 3, "{}{}", refused.out_text(), refused.err_text());
    let fetched = fetch("two words");
    assert_eq!(fetched.code, 0, "{}{}", fetched.out_text(), fetched.err_text());
    let got: Vec<_> = fs::read_dir(user.home.join("got")).expect("what was fetched").flatten().collect();
    assert_eq!(got.len(), 1);
    assert!(fs::read_to_string(got[0].path()).expect("a message").contains("\nSubject: hello\n"));
    assert_eq!(fs::read_dir(user.home.join("Maildir/new")).expect("a maildir").count(), 0);
}
