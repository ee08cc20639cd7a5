//! `splogger`, with a `/dev/log` of the test's own, in a namespace of mounts; and beside what syslog(3) itself sends.

use harness::{is_root, scratch, skipped, wait_until};
use std::io::{Read, Write};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Runs a shell command where `/dev/log` is a link to `DIRECTORY/log`; `None`, said aloud, where that cannot be.
fn with_dev_log(directory: &Path, words: &[&str]) -> Option<Child> {
    let may = is_root()
        && Command::new("unshare").args(["-m", "true"]).status().is_ok_and(|status| status.success());
    if !may {
        skipped("a /dev/log of the test's own needs root and mounts of its own");
        return None;
    }
    let script =
        "mount -t tmpfs none /dev && ln -s \"$1/log\" /dev/log && : >/dev/null && shift && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script, "sh"]).arg(directory).args(words).env("TZ", "UTC");
    command.stdin(Stdio::piped());
    Some(command.spawn().expect("unshare"))
}

fn splogger(directory: &Path, arguments: &[&str]) -> Option<Child> {
    let program = harness::program("splogger");
    let words = [&[program.to_str().expect("an ASCII path")], arguments].concat();
    with_dev_log(directory, &words)
}

fn syslogd(directory: &Path) -> UnixDatagram {
    let socket = UnixDatagram::bind(directory.join("log")).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out");
    socket
}

fn next(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).expect("an entry");
    String::from_utf8(buffer[..length].to_vec()).expect("an entry of ASCII")
}

/// An entry without its date and stamp: `<20>`, `qmail`, separator and text.
fn parts(entry: &str) -> (&str, &str, char, &str) {
    let (priority, rest) = entry.split_once('>').expect(entry);
    // `Nov 22 12:29:47 `
    let (date, rest) = rest.split_at(16);
    assert!(date.as_bytes()[3] == b' ' && date.as_bytes()[9] == b':' && date.ends_with(' '), "{entry}");
    let (tag, rest) = rest.split_once(": ").expect(entry);
    let (stamp, text) = rest.split_at(17);
    assert!(
        stamp.as_bytes()[10] == b'.' && stamp.bytes().filter(u8::is_ascii_digit).count() == 16,
        "{entry}"
    );
    let separator = text.chars().next().expect("a separator");
    (priority, tag, separator, &text[1..])
}

#[test]
fn each_line_is_an_entry_with_tag_facility_priority_and_time() {
    let directory = scratch();
    let socket = syslogd(directory.path());
    for (arguments, tag, facility) in
        [(&[][..], "splogger", 2), (&["qmail"], "qmail", 2), (&["smtpd", "3"], "smtpd", 3)]
    {
        let Some(mut child) = splogger(directory.path(), arguments) else { return };
        let mut input = child.stdin.take().expect("a pipe");
        input.write_all(b"status: local 0/10\n\nwarning: a\tb\xff\nalert: oh no!\nunfin").expect("room");
        drop(input);
        for (severity, text) in [(6, "status: local 0/10"), (4, "warning: a?b?"), (1, "alert: oh no!")] {
            let entry = next(&socket);
            assert_eq!(parts(&entry), (format!("<{}", facility * 8 + severity).as_str(), tag, ' ', text));
        }
        assert_eq!(child.wait().expect("its end").code(), Some(0));
    }
    socket.set_nonblocking(true).expect("a socket");
    assert!(socket.recv(&mut [0; 9]).is_err(), "a line without its end is no entry");
}

#[test]
fn a_long_line_is_entries_that_belong_together() {
    let directory = scratch();
    let socket = syslogd(directory.path());
    let Some(mut child) = splogger(directory.path(), &["x"]) else { return };
    let line = format!("alert: {}\n", "y".repeat(792 + 799 + 5));
    child.stdin.take().expect("a pipe").write_all(line.as_bytes()).expect("room");
    let entries = [next(&socket), next(&socket), next(&socket)];
    let found = entries.each_ref().map(|entry| parts(entry));
    let lengths = found.map(|(priority, _, separator, text)| (priority, separator, text.len()));
    assert_eq!(lengths, [("<17", ' ', 799), ("<17", '+', 799), ("<17", '+', 5)]);
    let stamp = |entry: &str| entry.split_once(": ").expect("a tag").1[..17].to_owned();
    assert!(entries.iter().all(|entry| stamp(entry) == stamp(&entries[0])));
    assert_eq!(child.wait().expect("its end").code(), Some(0));
}

/// The system's own syslog(3) is the reference for the form; Python calls it.
#[test]
fn an_entry_has_the_form_that_syslog_gives_it() {
    let directory = scratch();
    let socket = syslogd(directory.path());
    if !Command::new("python3").args(["-c", "import syslog"]).status().is_ok_and(|status| status.success()) {
        return skipped("python3 is not installed");
    }
    let script = "import syslog as s; s.openlog('tag', 0, s.LOG_MAIL); s.syslog(s.LOG_WARNING, 'text')";
    let Some(mut child) = with_dev_log(directory.path(), &["python3", "-c", script]) else { return };
    assert!(child.wait().expect("its end").success());
    let theirs = next(&socket);
    let mut child = splogger(directory.path(), &["tag"]).expect("splogger");
    child.stdin.take().expect("a pipe").write_all(b"warning: text\n").expect("room");
    assert!(child.wait().expect("its end").success());
    let ours = next(&socket);
    // `<20>Nov 22 12:29:47 tag: `, then the text or the stamp.
    let head = |entry: &str| (entry[..4].to_owned(), entry[4..20].to_owned(), entry[20..25].to_owned());
    let ((number, date, tag), (our_number, our_date, our_tag)) = (head(&theirs), head(&ours));
    assert_eq!((number, tag), (our_number, our_tag), "{theirs} {ours}");
    assert_eq!(date.len(), our_date.len());
    assert!(theirs.ends_with("tag: text"), "{theirs}");
    assert!(ours.ends_with(" warning: text"), "{ours}");
}

#[test]
fn syslogd_may_be_away_and_come_back_and_how_much_was_lost_is_said() {
    let directory = scratch();
    let socket = syslogd(directory.path());
    let Some(mut child) = splogger(directory.path(), &["x"]) else { return };
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(b"first\n").expect("room");
    assert_eq!(parts(&next(&socket)).3, "first");
    drop(socket);
    std::fs::remove_file(directory.path().join("log")).expect("the socket");
    let before = bytes_read(&child);
    input.write_all(b"lost 1\nlost 2\n").expect("room");
    // Nothing says when a line was given up; but then the next ones are waited for.
    wait_until("splogger waits for more", || bytes_read(&child) >= before + 14 && is_in_read(&child));
    let socket = syslogd(directory.path());
    input.write_all(b"second\n").expect("room");
    let entries = [next(&socket), next(&socket)];
    let found = entries.each_ref().map(|entry| parts(entry));
    assert_eq!(
        found.map(|(priority, _, _, text)| (priority, text)),
        [("<20", "warning: splogger: 2 lines lost without syslogd"), ("<22", "second"),]
    );
    drop(input);
    assert_eq!(child.wait().expect("its end").code(), Some(0));
}

/// How many bytes the process has read so far.
fn bytes_read(child: &Child) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/io", child.id())).expect("the process's counters");
    let count = text.lines().find_map(|line| line.strip_prefix("rchar: ")).expect("bytes read");
    count.parse().expect("a number")
}

/// Whether the process sleeps in a system call whose first argument is descriptor 0.
fn is_in_read(child: &Child) -> bool {
    let call = std::fs::read_to_string(format!("/proc/{}/syscall", child.id())).expect("the process's call");
    call.split_whitespace().nth(1) == Some("0x0")
}

#[test]
fn a_syslogd_that_takes_connections_gets_entries_with_a_nul_at_their_end() {
    let directory = scratch();
    let listener = UnixListener::bind(directory.path().join("log")).expect("a socket");
    let Some(mut child) = splogger(directory.path(), &["x"]) else { return };
    child.stdin.take().expect("a pipe").write_all(b"one\ntwo\n").expect("room");
    let mut text = String::new();
    listener.accept().expect("a connection").0.read_to_string(&mut text).expect("the entries");
    let entries: Vec<&str> = text.split_terminator('\0').collect();
    assert_eq!(entries.iter().map(|entry| parts(entry).3).collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!(child.wait().expect("its end").code(), Some(0));
}
