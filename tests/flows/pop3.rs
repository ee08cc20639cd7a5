//! Mail readers of other people fetch mail through tcpserver, qmail-popup, a program that checks passwords,
//! and qmail-pop3d.

use harness::{Call, TcpServer, UserHome, is_root, program, put_program, skipped};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A POP3 server with one user, joe, whose password is `two words`.
struct Pop {
    user: UserHome,
    maildir: PathBuf,
    server: TcpServer,
    /// What the mail reader keeps.
    reader: tempfile::TempDir,
}

impl Pop {
    fn start() -> Pop {
        let user = UserHome::new();
        let maildir = user.maildir("Maildir");
        let check = user.mail().path().join("bin/check");
        let home = user.path().display();
        // As nobody, if that makes a difference: qmail-pop3d does not serve root.
        let become_user =
            if is_root() { format!("{} nobody", program("setuidgid").display()) } else { String::new() };
        let script = format!(
            "#!/bin/sh\n\
             tr '\\0' '\\n' <&3 >'{home}/../credentials.'$$\n\
             {{ read -r name; read -r password; read -r stamp; }} <'{home}/../credentials.'$$\n\
             rm '{home}/../credentials.'$$\n\
             exec 3<&-\n\
             digest=$(printf '%s%s' \"$stamp\" 'two words' | md5sum)\n\
             [ \"$name\" = joe ] || exit 1\n\
             [ \"$password\" = 'two words' ] || [ \"$password\" = \"${{digest%% *}}\" ] || exit 1\n\
             cd '{home}' || exit 111\n\
             exec {become_user} \"$@\"\n"
        );
        put_program(&check, script);
        let words =
            [program("qmail-popup"), "pop.example".into(), check, program("qmail-pop3d"), "Maildir".into()];
        let words: Vec<&str> = words.iter().map(|word: &PathBuf| word.to_str().expect("ASCII")).collect();
        let server =
            TcpServer::start(&program("tcpserver"), &["-HR", "-lpop.example"], "127.0.0.1", &words, &[]);
        Pop { user, maildir, server, reader: harness::scratch() }
    }

    fn put(&self, name: &str, text: &[u8]) {
        let path = self.user.file(&format!("Maildir/{name}"), text, 0o600);
        let hour_ago = SystemTime::now() - Duration::from_secs(3600);
        let file = fs::File::options().append(true).open(path).expect("a file");
        file.set_modified(hour_ago).expect("its date");
    }

    /// Puts messages there that a server can get wrong.
    fn put_messages(&self) {
        self.put("new/1000.1.h", BODIES[0].as_bytes());
        self.put("cur/1001.2.h:2,S", BODIES[1].as_bytes());
        self.put("new/1002.3.h", BODIES[2].as_bytes());
        self.put("new/1003.4.h", format!("{HEADER}\n{}\n", "x".repeat(900)).repeat(1).as_bytes());
    }

    /// A file for the reader that nobody else may read.
    fn rc(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.reader.path().join(name);
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode");
        path
    }

    /// A call of a mail reader, by the user that everything belongs to.
    fn call(&self, reader: &Path) -> Call {
        if is_root() {
            let outcome =
                Call::path(Path::new("/bin/chown")).args(["-R", "nobody"]).arg(self.reader.path()).run();
            assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
        }
        let call =
            Call::path(reader).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.reader.path());
        self.user.as_user(call)
    }

    fn left(&self) -> usize {
        ["new", "cur"]
            .iter()
            .map(|place| fs::read_dir(self.maildir.join(place)).expect("a maildir").count())
            .sum()
    }

    /// The messages that a reader put into a maildir, as the lines after their headers, sorted.
    fn fetched(&self, maildir: &str) -> Vec<String> {
        let directory = self.reader.path().join(maildir).join("new");
        let entries = fs::read_dir(directory).expect("the reader's maildir").flatten();
        let mut found: Vec<String> = entries
            .map(|entry| String::from_utf8(fs::read(entry.path()).expect("a message")).expect("ASCII"))
            .map(|text| text.split_once("\n\n").expect("a header").1.to_owned())
            .collect();
        found.sort();
        found
    }

    fn make_maildir(&self, name: &str) -> PathBuf {
        let path = self.reader.path().join(name);
        for part in ["tmp", "new", "cur"] {
            fs::create_dir_all(path.join(part)).expect("a maildir");
        }
        path
    }
}

const HEADER: &str = "From: s@src.example\nTo: joe@pop.example\nSubject: x\n";

const BODIES: [&str; 3] = [
    "From: s@src.example\nTo: joe@pop.example\nSubject: one\n\n.\n..dots\n.\n",
    "From: s@src.example\nTo: joe@pop.example\nSubject: two\n\n1 no line end",
    "From: s@src.example\nTo: joe@pop.example\nSubject: three\n\n2 lines\n\n",
];

/// What a reader gets: the body, its last line ended, and the empty line that qmail-pop3d adds.
fn expected() -> Vec<String> {
    let long = format!("{}\n\n", "x".repeat(900));
    let mut bodies =
        vec![".\n..dots\n.\n\n".to_owned(), "1 no line end\n\n".to_owned(), "2 lines\n\n\n".to_owned(), long];
    bodies.sort();
    bodies
}

/// Whoever stores messages may leave out empty lines at their ends.
fn trimmed(bodies: Vec<String>) -> Vec<String> {
    bodies.into_iter().map(|body| format!("{}\n", body.trim_end_matches('\n'))).collect()
}

#[test]
fn fetchmail_fetches_and_deletes() {
    let Some(fetchmail) = harness::installed("fetchmail") else {
        return skipped("fetchmail is not installed");
    };
    for protocol in ["pop3", "apop"] {
        let pop = Pop::start();
        pop.put_messages();
        pop.make_maildir("mail");
        let deliver = pop.reader.path().join("deliver");
        put_program(&deliver, format!("#!/bin/sh\ncat >'{}'/mail/new/$$\n", pop.reader.path().display()));
        let account = |options: &str| {
            format!(
                "poll 127.0.0.1 protocol {protocol} port {} username joe password \"two words\" sslproto '' \
                 mda \"{}\" norewrite {options}\n",
                pop.server.port(),
                deliver.display()
            )
        };
        let fetch = |name: &str, options: &str| {
            let rc = pop.rc(name, &account(options));
            pop.call(&fetchmail).args(["-v", "--nosyslog", "--invisible", "-f"]).arg(rc).run()
        };
        let kept = fetch("keep", "keep fetchall");
        assert_eq!(kept.code, 0, "{}{}", kept.out_text(), kept.err_text());
        assert_eq!((pop.fetched("mail"), pop.left()), (expected(), 4));
        fs::remove_dir_all(pop.reader.path().join("mail/new")).expect("a maildir");
        pop.make_maildir("mail");
        let deleted = fetch("delete", "nokeep fetchall");
        assert_eq!(deleted.code, 0, "{}{}", deleted.out_text(), deleted.err_text());
        assert_eq!((pop.fetched("mail"), pop.left()), (expected(), 0));
        // 1: there was no mail.
        assert_eq!(fetch("delete", "nokeep").code, 1);
    }
}

#[test]
fn fetchmail_is_told_of_a_wrong_password() {
    let Some(fetchmail) = harness::installed("fetchmail") else {
        return skipped("fetchmail is not installed");
    };
    let pop = Pop::start();
    let rc = pop.rc(
        "rc",
        &format!(
            "poll 127.0.0.1 protocol pop3 port {} username joe password wrong sslproto ''\n",
            pop.server.port()
        ),
    );
    let outcome = pop.call(&fetchmail).args(["-v", "--nosyslog", "-f"]).arg(rc).run();
    // 3: authentication failed.
    assert_eq!(outcome.code, 3, "{}{}", outcome.out_text(), outcome.err_text());
    assert!(outcome.out_text().contains("-ERR authorization failed"), "{}", outcome.out_text());
}

/// mpop asks for CAPA and sends its commands at once; it knows by UIDL what it has.
#[test]
fn mpop_keeps_mail_on_the_server_and_fetches_it_once() {
    let Some(mpop) = harness::installed("mpop") else { return skipped("mpop is not installed") };
    let pop = Pop::start();
    pop.put_messages();
    let mail = pop.make_maildir("mail");
    let rc = |keep: &str| {
        let text = format!(
            "account default\nhost 127.0.0.1\nport {}\ntls off\nauth user\nuser joe\npassword \"two words\"\n\
             pipelining on\nkeep {keep}\ndelivery maildir {}\nreceived_header off\nuidls_file {}\n",
            pop.server.port(),
            mail.display(),
            pop.reader.path().join("uidls").display()
        );
        pop.rc("mpoprc", &text)
    };
    for _ in 0..2 {
        let rc = rc("on");
        let outcome = pop.call(&mpop).arg("-C").arg(rc).run();
        assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""), "{}", outcome.out_text());
        assert_eq!((trimmed(pop.fetched("mail")), pop.left()), (trimmed(expected()), 4));
    }
    // All were moved to cur by the first session, and are the same messages still.
    assert_eq!(fs::read_dir(pop.maildir.join("cur")).expect("a maildir").count(), 4);
    pop.put("new/1004.5.h", b"Subject: y\n\n3 more\n");
    let rc = rc("off");
    let outcome = pop.call(&mpop).arg("-C").arg(rc).run();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""), "{}", outcome.out_text());
    assert_eq!((pop.fetched("mail").len(), pop.left()), (5, 0));
}

#[test]
fn getmail_fetches_and_deletes() {
    let Some(getmail) = harness::installed("getmail") else { return skipped("getmail is not installed") };
    let pop = Pop::start();
    pop.put_messages();
    let mail = pop.make_maildir("mail");
    let rc = |delete: bool| {
        let text = format!(
            "[retriever]\ntype = SimplePOP3Retriever\nserver = 127.0.0.1\nport = {}\nusername = joe\npassword = two words\n\
             [destination]\ntype = Maildir\npath = {}/\n\
             [options]\nread_all = false\ndelete = {delete}\ndelivered_to = false\nreceived = false\nverbose = 2\n",
            pop.server.port(),
            mail.display()
        );
        pop.rc("getmailrc", &text)
    };
    for (delete, left) in [(false, 4), (false, 4), (true, 0)] {
        let rc = rc(delete);
        let outcome =
            pop.call(&getmail).arg("--getmaildir").arg(pop.reader.path()).arg("--rcfile").arg(rc).run();
        assert_eq!(outcome.code, 0, "{}{}", outcome.out_text(), outcome.err_text());
        assert_eq!(
            (trimmed(pop.fetched("mail")), pop.left()),
            (trimmed(expected()), left),
            "{}",
            outcome.out_text()
        );
    }
}

/// Everything in one packet, the login among it: PIPELINING, RFC 2449 §6.8.
#[test]
fn a_client_may_send_the_whole_session_at_once() {
    let pop = Pop::start();
    pop.put_messages();
    let mut stream = pop.server.connect("127.0.0.1");
    stream
        .write_all(b"CAPA\r\nUSER joe\r\nPASS two words\r\nSTAT\r\nDELE 2\r\nQUIT\r\n")
        .expect("a server that reads");
    let lines: Vec<String> = BufReader::new(stream).lines().map(|line| line.expect("a line")).collect();
    assert!(lines[1..].join("|").contains("|PIPELINING|"), "{lines:?}");
    let size: u64 = BODIES.iter().map(|body| body.len() as u64).sum::<u64>() + HEADER.len() as u64 + 902;
    assert_eq!(lines[8..], ["+OK ", "+OK ", &format!("+OK 4 {size}"), "+OK ", "+OK "], "{lines:?}");
    assert_eq!(pop.left(), 3);
    pop.server.logged("tcpserver: end ");
}
