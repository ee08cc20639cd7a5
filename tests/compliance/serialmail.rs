//! `maildirserial`, `serialsmtp`, `serialqmtp`, `maildirsmtp` and `maildirqmtp`. No package has the originals: what is tested is
//! what their users, and the hosts at the other end, rely on.

mod maildirserial;
mod scripts;
mod serialqmtp;
mod serialsmtp;

use harness::{Call, MailHome, Outcome, scratch};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What the addresses of the messages begin with.
const PREFIX: &str = "alias-ppp-";

/// A maildir in which messages wait.
struct Maildir {
    directory: tempfile::TempDir,
}

impl Maildir {
    fn new() -> Maildir {
        let directory = scratch();
        for part in ["tmp", "new", "cur"] {
            fs::create_dir(directory.path().join(part)).expect("a maildir");
        }
        Maildir { directory }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A message for `joe@far.example`.
    fn put(&self, name: &str, sender: &str, body: &str) {
        self.put_file(
            name,
            &format!("Return-Path: <{sender}>\nDelivered-To: {PREFIX}joe@far.example\n{body}"),
        );
    }

    /// A file that is an hour old; of two, the one that was put there first is older.
    fn put_file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).expect("a file");
        let count: usize = ["new", "cur"].map(|part| self.names_in(part).len()).iter().sum();
        self.set_age(name, 3600 - count as u64);
        path
    }

    fn set_age(&self, name: &str, seconds: u64) {
        let time = SystemTime::now() - Duration::from_secs(seconds);
        let file = File::options().append(true).open(self.path().join(name)).expect("a file");
        file.set_modified(time).expect("its date");
    }

    fn names_in(&self, part: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path().join(part)).expect("a maildir").flatten();
        let mut names: Vec<String> =
            entries.map(|entry| format!("{part}/{}", entry.file_name().to_string_lossy())).collect();
        names.sort();
        names
    }

    /// The messages that are left.
    fn left(&self) -> Vec<String> {
        [self.names_in("cur"), self.names_in("new")].concat()
    }
}

/// Calls a client as tcpclient does, for these files.
fn by_tcpclient(maildir: &Maildir, port: u16, words: &[&str], names: &[&str]) -> Outcome {
    let names: String = names.iter().map(|name| format!("{name}\0")).collect();
    let call = Call::ours("tcpclient").args(["-RHl0", "127.0.0.1", &port.to_string()]);
    call.arg(harness::program(words[0])).args(&words[1..]).within(maildir.path()).input(names).run()
}

/// A home where mail for far.example is taken.
fn far_home() -> MailHome {
    MailHome::new([("me", &b"far.example\n"[..]), ("rcpthosts", b"far.example\n")])
}

/// A server in the place of the far host, with its queue.
fn far_server(home: &MailHome, server: &str) -> (harness::TcpServer, harness::FakeQueue) {
    let queue = home.fake_queue();
    let program = home.program(server);
    let server = harness::TcpServer::start(
        &harness::program("tcpserver"),
        &["-HRl0"],
        "127.0.0.1",
        &[program.to_str().expect("ASCII")],
        &[("QMAILQUEUE", queue.program.to_str().expect("ASCII"))],
    );
    (server, queue)
}

/// The envelopes of what was queued. A server that refuses the recipients abandons what it began.
fn queued(queue: &harness::FakeQueue) -> Vec<Vec<u8>> {
    queue.envelopes().into_iter().filter(|envelope| envelope.ends_with(b"\0\0")).collect()
}

#[test]
fn programs_that_are_called_wrongly_say_how_to_call_them() {
    for (name, usage) in [
        ("maildirserial", "maildirserial [ -b ] [ -t lifetime ] dir prefix client [ arg ... ]"),
        ("serialsmtp", "serialsmtp prefix helohost"),
        ("serialqmtp", "serialqmtp prefix"),
    ] {
        let outcome = Call::ours(name).run();
        let expected = format!("{name}: usage: {usage}\n");
        assert_eq!((outcome.code, outcome.out_text(), outcome.err_text()), (100, String::new(), expected));
    }
    assert_eq!(Call::ours("maildirserial").args(["dir", "prefix"]).run().code, 100);
    assert_eq!(Call::ours("serialsmtp").arg("prefix").run().code, 100);
    let outcome = Call::ours("maildirserial").args(["-x", "dir", "prefix", "true"]).run();
    let (first, _) =
        outcome.err_text().split_once('\n').map(|(a, b)| (a.to_owned(), b.to_owned())).expect("lines");
    assert_eq!((outcome.code, first.as_str()), (100, "maildirserial: illegal option -- x"));
}
