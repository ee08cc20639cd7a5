//! `qmail-pop3d`.

use crate::fixtures::{Fixtures, latin1};
use harness::{Call, Outcome, Running, UserHome, is_root, scratch};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, SystemTime};

/// The reference was called by root, and so is ours if the test is root.
#[test]
fn l7_every_measured_case_is_answered_as_measured() {
    if !is_root() {
        return harness::skipped("qmail-pop3d as root needs root");
    }
    let fixtures = Fixtures::load("pop3d");
    for case in fixtures.cases() {
        let directory = scratch();
        for place in ["tmp", "new", "cur"] {
            fs::create_dir_all(directory.path().join("Maildir").join(place)).expect("a maildir");
        }
        let files = case.field("files").as_object().expect("files");
        for (name, text) in files {
            fs::write(directory.path().join("Maildir").join(name), latin1(text)).expect("a message");
        }
        let arguments = case.list("args").into_iter().map(|word| String::from_utf8(word).expect("a word"));
        let outcome = Call::ours("qmail-pop3d")
            .args(arguments)
            .within(directory.path())
            .input(case.bytes("stdin"))
            .run();
        assert_eq!(
            (outcome.code, outcome.out.as_slice()),
            (case.expected_exit(), &latin1(case.expected("out"))[..])
        );
        assert_eq!(outcome.err, latin1(case.expected("err")));
        let left = case.expected_list("left");
        assert_eq!(left.len(), files.len());
        assert!(left.iter().all(|name| directory.path().join(std::str::from_utf8(name).unwrap()).is_file()));
    }
}

/// A user with a maildir.
struct Mailbox {
    user: UserHome,
    maildir: PathBuf,
}

fn mailbox(messages: &[(&str, &str)]) -> Mailbox {
    let user = UserHome::new();
    let maildir = user.maildir("Maildir");
    let mailbox = Mailbox { user, maildir };
    for (name, text) in messages {
        mailbox.put(name, text.as_bytes());
    }
    mailbox
}

const THREE: [(&str, &str); 3] = [
    ("cur/500.3.h:2,S", "Subject: zero\n\nseen\n"),
    ("new/1000.1.h", "Subject: one\n\n.dot\nline\n"),
    ("new/2000.2.h", "Subject: two\n\nlast no newline"),
];

impl Mailbox {
    /// Puts a message there, dated an hour ago.
    fn put(&self, name: &str, text: &[u8]) {
        let path = self.user.file(&format!("Maildir/{name}"), text, 0o600);
        date(&path, Duration::from_secs(3600));
    }

    fn call(&self) -> Call {
        let call = Call::path(&harness::program("qmail-pop3d")).arg("Maildir").within(self.user.path());
        self.user.as_user(call)
    }

    fn session(&self, input: &str) -> String {
        let outcome = self.call().input(input).run();
        assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
        String::from_utf8(outcome.out).expect("an ASCII session")
    }

    /// The files, as `new/NAME`, sorted.
    fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        for place in ["cur", "new", "tmp"] {
            for entry in fs::read_dir(self.maildir.join(place)).expect("a directory").flatten() {
                found.push(format!("{place}/{}", entry.file_name().to_string_lossy()));
            }
        }
        found.sort();
        found
    }
}

fn date(path: &Path, age: Duration) {
    let time = SystemTime::now() - age;
    let file = fs::File::options().append(true).open(path).expect("a file");
    file.set_times(fs::FileTimes::new().set_modified(time).set_accessed(time)).expect("its date");
}

#[test]
fn a_session_lists_sends_and_deletes() {
    let mailbox = mailbox(&THREE);
    let out = mailbox.session(
        "STAT\r\nLIST\r\nUIDL\r\nLIST 2\r\nUIDL 1\r\nRETR 2\r\nTOP 2 1\r\nDELE 1\r\nSTAT\r\nLAST\r\nQUIT\r\n",
    );
    let one = "+OK \r\nSubject: one\r\n\r\n..dot\r\nline\r\n\r\n.\r\n";
    let top = "+OK \r\nSubject: one\r\n\r\n..dot\r\n\r\n.\r\n";
    let expected = format!(
        "+OK \r\n+OK 3 73\r\n+OK \r\n1 20\r\n2 24\r\n3 29\r\n.\r\n\
         +OK \r\n1 500.3.h\r\n2 1000.1.h\r\n3 2000.2.h\r\n.\r\n\
         +OK 2 24\r\n+OK 1 500.3.h\r\n{one}{top}+OK \r\n+OK 3 53\r\n+OK 1\r\n+OK \r\n"
    );
    assert_eq!(out, expected);
    assert_eq!(mailbox.files(), ["cur/1000.1.h:2,", "cur/2000.2.h:2,"]);
    // What moved is called as before.
    assert_eq!(mailbox.session("UIDL\r\n"), "+OK \r\n+OK \r\n1 1000.1.h\r\n2 2000.2.h\r\n.\r\n");
}

#[test]
fn commands_that_make_no_sense_are_answered_and_change_nothing() {
    let mailbox = mailbox(&THREE);
    let out = mailbox.session("RETR 0\r\nRETR 9\r\nRETR x\r\nRETR\r\nDELE 4\r\nLIST 99999999999999999999\r\nFOO\r\nUSER x\r\nNOOP\r\nRETR 1\0\r\n");
    let expected = "+OK \r\n-ERR messages are counted from 1\r\n-ERR not that many messages\r\n-ERR syntax error\r\n\
        -ERR syntax error\r\n-ERR not that many messages\r\n-ERR not that many messages\r\n-ERR unimplemented\r\n\
        -ERR unimplemented\r\n+OK \r\n-ERR syntax error\r\n";
    assert_eq!(out, expected);
    assert_eq!(mailbox.files(), THREE.map(|(name, _)| name));
}

#[test]
fn capabilities_are_those_of_rfc_2449() {
    let out = mailbox(&[]).session("CAPA\r\nQUIT\r\n");
    assert_eq!(out, "+OK \r\n+OK \r\nTOP\r\nUSER\r\nUIDL\r\nPIPELINING\r\nEXPIRE NEVER\r\n.\r\n+OK \r\n");
}

/// A client that is cut off has not said what it wants.
#[test]
fn without_quit_nothing_is_deleted_or_moved() {
    let mailbox = mailbox(&THREE);
    assert_eq!(mailbox.session("DELE 1\r\nDELE 2\r\n"), "+OK \r\n+OK \r\n+OK \r\n");
    assert_eq!(mailbox.session("DELE 1\r\nQUIT"), "+OK \r\n+OK \r\n");
    assert_eq!(mailbox.session("DELE 1\r\nRSET\r\nSTAT\r\n"), "+OK \r\n+OK \r\n+OK \r\n+OK 3 73\r\n");
    assert_eq!(mailbox.files(), THREE.map(|(name, _)| name));
}

#[test]
fn a_mailbox_that_is_missing_or_broken_is_said_to_be() {
    let mailbox = mailbox(&[]);
    let none = "-ERR this user has no $HOME/Maildir\r\n";
    let call = |arguments: &[&str]| -> Outcome {
        let call = Call::path(&harness::program("qmail-pop3d")).args(arguments).within(mailbox.user.path());
        mailbox.user.as_user(call).input("STAT\r\n").run()
    };
    for arguments in [&[][..], &["Nowhere"], &["Maildir\n"]] {
        let outcome = call(arguments);
        assert_eq!((outcome.out_text().as_str(), outcome.code), (none, 0));
    }
    fs::remove_dir(mailbox.maildir.join("new")).expect("an empty directory");
    let outcome = call(&["Maildir"]);
    assert_eq!((outcome.out_text().as_str(), outcome.code), ("-ERR unable to scan $HOME/Maildir\r\n", 0));
}

/// L1, L2: what is not a regular file is no message: nobody waits for a FIFO or is led out of the mailbox.
#[test]
fn l2_only_regular_files_are_messages() {
    let mailbox = mailbox(&THREE);
    mailbox.user.file("secret", "secret\n", 0o600);
    symlink("../../secret", mailbox.maildir.join("new/1.link")).expect("a link");
    symlink("../../nowhere", mailbox.maildir.join("new/2.dangling")).expect("a link");
    unix::fifo::make(&mailbox.maildir.join("new/3.fifo")).expect("a FIFO");
    fs::create_dir(mailbox.maildir.join("new/4.directory")).expect("a directory");
    let _socket =
        std::os::unix::net::UnixListener::bind(mailbox.maildir.join("cur/5.socket")).expect("a socket");
    mailbox.put("new/.hidden", b"x");
    let out = mailbox.session("STAT\r\nDELE 1\r\nQUIT\r\n");
    assert_eq!(out, "+OK \r\n+OK 3 73\r\n+OK \r\n+OK \r\n");
    let left = mailbox.files();
    assert_eq!(left.len(), 8, "{left:?}");
    assert!(mailbox.user.path().join("secret").exists());
}

/// L2: a message that another became since the session began.
#[test]
fn l2_a_name_that_became_a_link_is_not_followed() {
    let mailbox = mailbox(&THREE);
    mailbox.user.file("secret", "secret\n", 0o600);
    let mut dialogue = Dialogue::start(&mailbox);
    for (number, make) in [(2, "link"), (3, "fifo")] {
        let path = mailbox.maildir.join(THREE[number - 1].0);
        fs::remove_file(&path).expect("a message");
        match make {
            "link" => symlink("../../secret", &path).expect("a link"),
            _ => unix::fifo::make(&path).expect("a FIFO"),
        }
        assert_eq!(dialogue.say(&format!("RETR {number}")), "-ERR unable to open that message");
    }
}

/// A server with a client that takes turns with it.
struct Dialogue {
    _running: Running,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Dialogue {
    fn start(mailbox: &Mailbox) -> Dialogue {
        let mut call = mailbox.call();
        let command = call.command().stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = Running::start(command);
        let input = running.child().stdin.take().expect("a piped standard input");
        let output = BufReader::new(running.child().stdout.take().expect("a piped standard output"));
        let mut dialogue = Dialogue { _running: running, input, output };
        assert_eq!(dialogue.line(), "+OK ");
        dialogue
    }

    fn line(&mut self) -> String {
        let mut line = Vec::new();
        self.output.read_until(b'\n', &mut line).expect("a server that replies");
        String::from_utf8(line).expect("ASCII").trim_end_matches("\r\n").to_owned()
    }

    fn say(&mut self, line: &str) -> String {
        self.input.write_all(format!("{line}\r\n").as_bytes()).expect("a server that reads");
        self.line()
    }
}

#[test]
fn a_message_that_vanished_is_an_error_of_its_own_and_quit_says_what_it_could_not_do() {
    let mailbox = mailbox(&THREE);
    let mut dialogue = Dialogue::start(&mailbox);
    fs::remove_file(mailbox.maildir.join("new/1000.1.h")).expect("a message");
    assert_eq!(dialogue.say("RETR 2"), "-ERR unable to open that message");
    assert_eq!(dialogue.say("TOP 2 0"), "-ERR unable to open that message");
    assert_eq!(dialogue.say("DELE 2"), "+OK ");
    assert_eq!(dialogue.say("DELE 1"), "+OK ");
    assert_eq!(dialogue.say("QUIT"), "-ERR unable to unlink all deleted messages");
    assert_eq!(dialogue.line(), "");
    assert_eq!(mailbox.files(), ["cur/2000.2.h:2,"]);
}

/// The end of one session moves messages that another one is about to show.
#[test]
fn two_sessions_at_a_time_do_not_lose_each_others_messages() {
    let mailbox = mailbox(&THREE);
    let mut dialogue = Dialogue::start(&mailbox);
    assert!(mailbox.session("DELE 1\r\nQUIT\r\n").ends_with("+OK \r\n"));
    assert_eq!(mailbox.files(), ["cur/1000.1.h:2,", "cur/2000.2.h:2,"]);
    assert_eq!(dialogue.say("RETR 1"), "-ERR unable to open that message");
    assert_eq!(dialogue.say("TOP 2 0"), "+OK ");
    assert_eq!(
        [dialogue.line(), dialogue.line(), dialogue.line(), dialogue.line()],
        ["Subject: one", "", "", "."]
    );
    assert_eq!(dialogue.say("DELE 2"), "+OK ");
    assert_eq!(dialogue.say("QUIT"), "+OK ");
    assert_eq!(mailbox.files(), ["cur/2000.2.h:2,"]);
}

/// Two files of one name, as a copy of a maildir may have: none takes the other's place.
#[test]
fn moving_to_cur_replaces_no_message() {
    let mailbox = mailbox(&[("new/1.a", "new\n"), ("cur/1.a:2,", "old\n")]);
    assert!(mailbox.session("QUIT\r\n").ends_with("+OK \r\n"));
    assert_eq!(mailbox.files(), ["cur/1.a:2,", "new/1.a"]);
    assert_eq!(fs::read(mailbox.maildir.join("cur/1.a:2,")).unwrap(), b"old\n");
}

#[test]
fn messages_stand_in_the_order_of_the_times_in_their_names() {
    let mailbox =
        mailbox(&[("new/900.a", "1"), ("cur/1000.b:2,S", "2"), ("new/999.z", "3"), ("new/1000.a", "4")]);
    let uidl = "+OK \r\n+OK \r\n1 900.a\r\n2 999.z\r\n3 1000.a\r\n4 1000.b\r\n.\r\n";
    assert_eq!(mailbox.session("UIDL\r\n"), uidl);
    // Copied without its date.
    date(&mailbox.maildir.join("new/900.a"), Duration::from_secs(60));
    assert_eq!(mailbox.session("UIDL\r\n"), uidl);
}

#[test]
fn a_message_of_this_second_waits_and_stale_drafts_go() {
    let mailbox = mailbox(&[("tmp/1.stale", "x"), ("tmp/.hidden", "x"), ("tmp/2.fresh", "x")]);
    date(&mailbox.maildir.join("tmp/1.stale"), Duration::from_secs(36 * 3600 + 60));
    date(&mailbox.maildir.join("tmp/.hidden"), Duration::from_secs(99 * 3600));
    mailbox.put("new/1.now", b"x");
    let soon = SystemTime::now() + Duration::from_secs(30);
    let file = fs::File::options().append(true).open(mailbox.maildir.join("new/1.now")).expect("a file");
    file.set_modified(soon).expect("its date");
    assert_eq!(mailbox.session("STAT\r\n"), "+OK \r\n+OK 0 0\r\n");
    assert_eq!(mailbox.files(), ["new/1.now", "tmp/.hidden", "tmp/2.fresh"]);
}

/// A name with a line end in it is no second line of a list.
#[test]
fn l8_a_file_name_cannot_be_a_reply() {
    let mailbox = mailbox(&[("new/1.a b", "x"), ("new/2.a\r\n.\r\n+OK", "x")]);
    let out = mailbox.session("UIDL\r\nQUIT\r\n");
    assert_eq!(out.lines().count(), 6, "{out}");
    assert!(out.lines().skip(2).take(2).all(|line| line.len() == 2 + 33), "{out}");
}

/// Ten thousand messages are listed, sent and deleted.
#[test]
fn a_large_mailbox_is_served() {
    let mailbox = mailbox(&[]);
    for number in 0..10_000 {
        fs::write(mailbox.maildir.join(format!("new/{}.m", 10_000 + number)), "S: x\n\nb\n")
            .expect("a message");
    }
    // None of them is of this second, then.
    std::thread::sleep(Duration::from_millis(1100));
    if is_root() {
        let outcome = Call::path(Path::new("/bin/chown")).arg("-R").arg("65534").arg(&mailbox.maildir).run();
        assert_eq!(outcome.code, 0);
    }
    let deletions: String = (1..=9_999).map(|number| format!("DELE {number}\r\n")).collect();
    let out = mailbox.session(&format!("STAT\r\nLIST\r\nUIDL\r\nRETR 10000\r\n{deletions}QUIT\r\n"));
    assert!(out.starts_with("+OK \r\n+OK 10000 80000\r\n+OK \r\n1 8\r\n"));
    assert!(out.contains("\r\n10000 19999.m\r\n.\r\n+OK \r\nS: x\r\n\r\nb\r\n\r\n.\r\n"));
    assert_eq!(mailbox.files(), ["cur/19999.m:2,"]);
}

/// M1, S6: a long line and a large message are sent whole, in constant memory.
#[test]
fn m1_a_large_message_is_not_kept_in_memory() {
    let mailbox = mailbox(&[]);
    let line = [b".".repeat(1_000_000), b"\n".to_vec()].concat();
    let message = [&b"S: x\n\n"[..], &line.repeat(20)].concat();
    mailbox.put("new/1.a", &message);
    let mut dialogue = Dialogue::start(&mailbox);
    assert_eq!(dialogue.say("RETR 1"), "+OK ");
    let (mut lines, mut largest) = (0, 0);
    loop {
        let line = dialogue.line();
        lines += 1;
        largest = largest.max(line.len());
        if lines == 12 {
            let status =
                fs::read_to_string(format!("/proc/{}/status", dialogue._running.pid())).expect("its status");
            let line = status.lines().find(|line| line.starts_with("RssAnon:")).expect("its own memory");
            let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().expect("kilobytes");
            assert!(kilobytes < 4096, "{kilobytes} KiB");
        }
        if line == "." {
            break;
        }
    }
    assert_eq!((lines, largest), (2 + 20 + 1 + 1, 1_000_001));
    assert_eq!(dialogue.say("NOOP"), "+OK ");
}
