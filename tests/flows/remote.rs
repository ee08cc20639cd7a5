//! `qmail-remote` against other people's servers: Postfix's smtp-sink, and what DNS may answer.

use harness::{Answer, DnsServer, MailHome, Record, Running, Script, SmtpPeer};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A message with everything that an encoder can get wrong.
const MESSAGE: &[u8] = b"Subject: \xe9\n\n.\n..dots\nFrom me\nlast\n";

fn home() -> MailHome {
    MailHome::new([("me", &b"mail.example.org\n"[..])])
}

/// smtp-sink on a port of 127.0.0.1, with a directory that holds what it received.
pub struct Sink {
    running: Running,
    directory: tempfile::TempDir,
    /// The port it listens on.
    pub port: u16,
}

impl Sink {
    /// Starts it; nothing, said aloud, if it is not installed.
    pub fn start(options: &[&str]) -> Option<Sink> {
        Sink::with_backlog(options, "20")
    }

    /// With room for so many connections that are not accepted yet.
    fn with_backlog(options: &[&str], backlog: &str) -> Option<Sink> {
        let Some(program) = harness::installed("smtp-sink") else {
            harness::skipped("smtp-sink (Debian: postfix) is not installed");
            return None;
        };
        let (directory, port) = (harness::scratch(), harness::free_port());
        let mut command = Command::new(program);
        if harness::is_root() {
            use std::os::unix::fs::PermissionsExt;
            let everybody = std::fs::Permissions::from_mode(0o777);
            std::fs::set_permissions(directory.path(), everybody).expect("a directory for nobody");
            command.args(["-u", "nobody"]);
        }
        let template = directory.path().join("message.");
        command.args(options).arg("-d").arg(&template).arg(format!("127.0.0.1:{port}")).arg(backlog);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let running = Running::start(&mut command);
        harness::wait_until("smtp-sink listens", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Some(Sink { running, directory, port })
    }

    /// The files that hold a message, or the beginning of one that is still being received.
    pub fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.directory.path()).expect("the sink's directory");
        entries.map(|entry| entry.expect("an entry").path()).collect()
    }

    /// The one message that was received, as smtp-sink wrote it.
    pub fn received(&self) -> Vec<u8> {
        let names = || self.files();
        harness::wait_until("smtp-sink wrote a whole message", || {
            names().iter().any(|path| std::fs::read(path).is_ok_and(|text| text.ends_with(b"\n\n")))
        });
        assert_eq!(names().len(), 1, "one delivery makes one message");
        std::fs::read(names().remove(0)).expect("the message")
    }
}

/// Sends [`MESSAGE`] from a file, as qmail-rspawn has it, to a server on a port of 127.0.0.1.
fn send(port: u16, recipients: &[&str]) -> String {
    let home = home();
    home.control("smtproutes", format!("dest.example:[127.0.0.1]:{port}\n"));
    send_from_file(&home, recipients, MESSAGE)
}

fn send_from_file(home: &MailHome, recipients: &[&str], message: &[u8]) -> String {
    let path = home.path().join("message");
    std::fs::write(&path, message).expect("a message");
    let output = Command::new(home.program("qmail-remote"))
        .args(["dest.example", "s@src.example"])
        .args(recipients)
        .stdin(std::fs::File::open(&path).expect("the message"))
        .output()
        .expect("a run of qmail-remote");
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
    String::from_utf8(output.stdout).expect("ASCII reports").replace('\0', "|")
}

#[test]
fn every_kind_of_server_gets_the_message_as_it_is() {
    let variants: [(&[&str], &str); 6] = [
        (&[], "X-Mail-Args: <s@src.example> BODY=8BITMIME"),
        (&["-8"], "X-Mail-Args: <s@src.example>"),
        (&["-p"], "X-Mail-Args: <s@src.example> BODY=8BITMIME"),
        (&["-e"], "X-Client-Proto: SMTP"),
        (&["-f", "EHLO"], "X-Client-Proto: SMTP"),
        (&["-q", "EHLO"], "X-Client-Proto: SMTP"),
    ];
    for (options, expected) in variants {
        let Some(sink) = Sink::start(options) else { return };
        let report = send(sink.port, &["a@dest.example", "b@dest.example"]);
        assert!(report.starts_with("r|r|K127.0.0.1 accepted message.\nRemote host said: 250 "), "{report}");
        let received = sink.received();
        let shown = received.escape_ascii().to_string();
        assert!(received.ends_with(&[MESSAGE, b"\n"].concat()), "{options:?}: {shown}");
        for line in [expected, "X-Helo-Args: mail.example.org", "X-Rcpt-Args: <b@dest.example>"] {
            let line = format!("\n{line}\n");
            assert!(String::from_utf8_lossy(&received).contains(&line), "{options:?} {line}: {shown}");
        }
    }
}

#[test]
fn a_refusal_at_any_command_is_reported_as_permanent_or_temporary() {
    let refusals: [(&str, &str, &str); 6] = [
        ("MAIL", "DConnected to 127.0.0.1 but sender", "ZConnected to 127.0.0.1 but sender"),
        ("RCPT", "h127.0.0.1 does not like", "s127.0.0.1 does not like"),
        ("DATA", "r|D127.0.0.1 failed on DATA", "r|Z127.0.0.1 failed on DATA"),
        (".", "r|D127.0.0.1 failed after I sent", "r|Z127.0.0.1 failed after I sent"),
        ("CONNECT", "ZConnected to 127.0.0.1 but greeting", "ZConnected to 127.0.0.1 but greeting"),
        ("HELO", "ZConnected to 127.0.0.1 but my name", "ZConnected to 127.0.0.1 but my name"),
    ];
    for (command, permanent, temporary) in refusals {
        for (option, expected) in [("-f", permanent), ("-r", temporary)] {
            let refused = if command == "HELO" { "EHLO,HELO" } else { command };
            let Some(sink) = Sink::start(&[option, refused]) else { return };
            let report = send(sink.port, &["a@dest.example"]);
            assert!(report.starts_with(expected), "{option} {command}: {report}");
        }
    }
}

#[test]
fn s6_a_large_message_of_all_bytes_arrives_whole() {
    let Some(sink) = Sink::start(&[]) else { return };
    let mut message: Vec<u8> = (0..2_000_000_u32)
        .map(|number| (number.wrapping_mul(2_654_435_761) >> 24).to_le_bytes()[0])
        // A CR becomes a line end on the way, and smtp-sink ends its lines at a NUL.
        .map(|byte| if matches!(byte, b'\r' | 0) { b'.' } else { byte })
        .collect();
    message.push(b'\n');
    let home = home();
    home.control("smtproutes", format!(":127.0.0.1:{}\n", sink.port));
    let report = send_from_file(&home, &["a@dest.example"], &message);
    assert!(report.starts_with("r|K"), "{report}");
    assert!(sink.received().ends_with(&[&message[..], b"\n"].concat()), "the message arrived altered");
}

#[test]
fn commands_go_out_together_to_a_server_that_announces_pipelining() {
    let script = Script::new([
        "220 x ESMTP",
        "250-x\r\n250-SIZE\r\n250 PIPELINING",
        "250 ok\r\n550 no\r\n250 ok\r\n354 go",
        "250 done",
    ]);
    // All the answers come at once, so a client that waits for each would still go on; what was heard decides.
    let peer = SmtpPeer::start("127.0.0.1", vec![script]).expect("a scripted server");
    let report = send(peer.port(), &["a@dest.example", "b@dest.example"]);
    assert_eq!(
        report,
        "h127.0.0.1 does not like recipient.\nRemote host said: 550 no\n|\
         r|K127.0.0.1 accepted message.\nRemote host said: 250 done\n|"
    );
    let heard = peer.heard();
    let size = MESSAGE.len() + MESSAGE.iter().filter(|byte| **byte == b'\n').count();
    let commands = format!(
        "EHLO mail.example.org\r\nMAIL FROM:<s@src.example> SIZE={size}\r\nRCPT TO:<a@dest.example>\r\n\
         RCPT TO:<b@dest.example>\r\nDATA\r\n"
    );
    assert!(heard.starts_with(commands.as_bytes()), "{}", heard.escape_ascii());
    assert!(heard.ends_with(b"\r\n.\r\nQUIT\r\n"), "{}", heard.escape_ascii());
}

#[test]
fn a_relay_may_be_an_ipv6_address() {
    let script = Script::new(["220 hi", "250 h", "250 ok", "250 ok", "354 go", "250 done"]);
    let Ok(peer) = SmtpPeer::start("::1", vec![script]) else {
        return harness::skipped("this machine has no IPv6 loopback address");
    };
    let home = home();
    home.control("smtproutes", format!("dest.example:[::1]:{}\n", peer.port()));
    let report = send_from_file(&home, &["a@dest.example"], MESSAGE);
    assert_eq!(report, "r|K::1 accepted message.\nRemote host said: 250 done\n|");
}

#[test]
fn m4_what_dns_answers_decides_between_a_bounce_and_another_try() {
    let exchangers = |hosts: &[(u16, &str)]| {
        Answer::Records(hosts.iter().map(|(at, host)| Record::Exchanger(*at, (*host).to_string())).collect())
    };
    let address = |text: &str| Answer::Records(vec![Record::Address(text.parse().expect("an address"))]);
    let alias = |target: &str| Answer::Records(vec![Record::Alias(target.to_string())]);
    let hundred: Vec<(u16, String)> = (0..100).map(|at| (at, format!("gone{at}.example"))).collect();
    let hundred: Vec<(u16, &str)> = hundred.iter().map(|(at, host)| (*at, host.as_str())).collect();
    let server = DnsServer::start([
        ("servfail.example", Answer::ServerFailure),
        ("nodata.example", Answer::Records(vec![])),
        ("cut.example", Answer::Truncated),
        ("loop.example", alias("pool.example")),
        ("pool.example", alias("loop.example")),
        ("null.example", exchangers(&[(0, ".")])),
        ("many.example", exchangers(&hundred)),
        ("unsure.example", exchangers(&[(10, "gone.example"), (20, "servfail.example")])),
        ("trap.example", exchangers(&[(10, "inside.example")])),
        ("inside.example", address("127.0.0.53")),
        ("inside6.example", address("::1")),
    ]);
    let home = home();
    for (host, expected) in [
        ("gone.example", "DSorry, I couldn't find any host named gone.example. (#5.1.2)\n|"),
        ("nodata.example", "DSorry, I couldn't find any host named nodata.example. (#5.1.2)\n|"),
        ("servfail.example", "ZSorry, I couldn't find any host by that name. (#4.1.2)\n|"),
        ("cut.example", "ZSorry, I couldn't find any host by that name. (#4.1.2)\n|"),
        ("loop.example", "ZSorry, I couldn't find any host by that name. (#4.1.2)\n|"),
        ("unsure.example", "ZSorry, I couldn't find any host by that name. (#4.1.2)\n|"),
        ("null.example", "DSorry, null.example says that it does not accept mail. (#5.1.10)\n|"),
        ("many.example", "DSorry, I couldn't find a mail exchanger or IP address. (#5.4.4)\n|"),
        ("trap.example", OURSELVES),
        ("inside.example", OURSELVES),
        ("inside6.example", OURSELVES),
    ] {
        let outcome = home
            .call("qmail-remote")
            .env("DNSCACHEIP", server.address())
            .args([host, "s@src.example", "a@x.example"])
            .input(MESSAGE)
            .run();
        assert_eq!(outcome.out_text().replace('\0', "|"), expected, "{host}");
    }
}

/// B2: an exchanger at any of these addresses is this machine, whatever else stands in the list with a higher number.
#[test]
fn b2_exchangers_that_are_this_machine_are_ourselves() {
    let own = unix::interface::addresses().expect("the addresses of this machine");
    let texts = [
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.1",
        "127.255.255.254",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:0.0.0.0",
    ];
    let addresses = texts.iter().map(|text| text.parse().expect("an address")).chain(own);
    let mut names = Vec::new();
    for (number, address) in addresses.enumerate() {
        let exchangers = [(10, format!("mx{number}.example")), (20, "other.example".to_owned())];
        let exchangers = exchangers.map(|(at, host)| Record::Exchanger(at, host));
        names.push((format!("host{number}.example"), Answer::Records(exchangers.to_vec())));
        names.push((format!("mx{number}.example"), Answer::Records(vec![Record::Address(address)])));
    }
    let other = Record::Address("192.0.2.1".parse().expect("an address"));
    names.push(("other.example".to_owned(), Answer::Records(vec![other])));
    let server = DnsServer::start(names.iter().map(|(name, answer)| (name.as_str(), answer.clone())));
    let home = home();
    for (host, _) in names.iter().filter(|(name, _)| name.starts_with("host")) {
        let call = home.call("qmail-remote").env("DNSCACHEIP", server.address());
        let outcome = call.args([host, "s@src.example", "a@x.example"]).input(MESSAGE).run();
        assert_eq!(outcome.out_text().replace('\0', "|"), OURSELVES, "{host}");
    }
}

/// M1
#[test]
fn m1_a_large_message_is_not_kept_in_memory() {
    let Some(prlimit) = harness::installed("prlimit") else {
        return harness::skipped("prlimit is not installed");
    };
    let script = Script::new(["220 hi", "250 h", "250 ok", "250 ok", "354 go", "250 done", "221 bye"]);
    let peer = SmtpPeer::start("127.0.0.1", vec![script]).expect("a scripted server");
    let home = home();
    home.control("smtproutes", format!(":127.0.0.1:{}\n", peer.port()));
    let message = [&b"S: x\n\n"[..], &vec![b'x'; 64 << 20], b"\n"].concat();
    let call = harness::Call::path(&prlimit).arg("--data=16777216").arg(home.program("qmail-remote"));
    let outcome = call.args(["x.example", "s@src.example", "a@x.example"]).input_file(&message).run();
    assert!(outcome.out.starts_with(b"r\0K"), "{}", outcome.out_text());
    assert!(peer.heard().len() > message.len());
}

const OURSELVES: &str = "DSorry. Although I'm listed as a best-preference MX or A for that host,\n\
    it isn't in my control/locals file, so I don't treat it as local. (#5.4.6)\n|";

#[test]
fn a_dns_server_that_says_nothing_or_nonsense_means_another_try() {
    let server = DnsServer::start([("mute.example", Answer::Silence), ("odd.example", Answer::Garbage)]);
    for host in ["mute.example", "odd.example"] {
        let outcome = home()
            .call("qmail-remote")
            .env("DNSCACHEIP", server.address())
            .args([host, "s@src.example", "a@x.example"])
            .input(MESSAGE)
            .run();
        let expected = "ZSorry, I couldn't find any host by that name. (#4.1.2)\n\0";
        assert_eq!(outcome.out_text(), expected, "{host}");
    }
}

#[test]
fn a_relay_is_found_by_name_and_its_second_address_is_tried_if_the_first_is_dead() {
    let script = Script::new(["220 hi", "250 h", "250 ok", "250 ok", "354 go", "250 done"]);
    let peer = SmtpPeer::start("127.0.0.1", vec![script]).expect("a scripted server");
    let relay = ["127.0.0.9", "::1", "127.0.0.1"];
    let relay = relay.map(|address| Record::Address(address.parse().expect("an address")));
    let server = DnsServer::start([("relay.example", Answer::Records(relay.to_vec()))]);
    let home = home();
    home.control("smtproutes", format!(".example:relay.example:{}\n", peer.port()));
    let outcome = home
        .call("qmail-remote")
        .env("DNSCACHEIP", server.address())
        .args(["dest.example", "s@src.example", "a@dest.example"])
        .input(MESSAGE)
        .run();
    let expected = "r\0K127.0.0.1 accepted message.\nRemote host said: 250 done\n\0";
    assert_eq!(outcome.out_text(), expected);
}

/// A home whose queue has a table of time-outs with one record: 127.0.0.1, so many times, just now.
fn home_with_table(count: u8) -> (MailHome, PathBuf) {
    let home = home();
    let lock = home.path().join("queue/lock");
    std::fs::create_dir_all(&lock).expect("queue/lock");
    let seconds = u32::try_from(unix::stamp::Stamp::now().seconds).expect("a time before 2106");
    let mut table = [127, 0, 0, 1, count, 0, 0, 0].to_vec();
    table.extend_from_slice(&seconds.to_le_bytes());
    table.resize(1024, 0);
    std::fs::write(lock.join("tcpto"), table).expect("a table");
    (home, lock.join("tcpto"))
}

fn count_in(table: &Path) -> u8 {
    std::fs::read(table).expect("the table")[4]
}

#[test]
fn a_host_that_timed_out_twice_is_passed_over_and_one_that_answers_is_forgiven() {
    let script = || Script::new(["220 hi", "250 h", "250 ok", "250 ok", "354 go", "250 done"]);
    let (home, table) = home_with_table(2);
    let peer = SmtpPeer::start("127.0.0.1", vec![script()]).expect("a scripted server");
    home.control("smtproutes", format!(":127.0.0.1:{}\n", peer.port()));
    let report = send_from_file(&home, &["a@dest.example"], MESSAGE);
    assert_eq!(report, "ZSorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n|");
    assert_eq!(count_in(&table), 2);

    let (home, table) = home_with_table(1);
    home.control("smtproutes", format!(":127.0.0.1:{}\n", peer.port()));
    let report = send_from_file(&home, &["a@dest.example"], MESSAGE);
    assert!(report.starts_with("r|K127.0.0.1 accepted message."), "{report}");
    assert_eq!(count_in(&table), 0);
}

#[test]
fn a_host_that_does_not_answer_is_noted_in_the_table() {
    let Some(sink) = Sink::with_backlog(&[], "1") else { return };
    sink.running.signal(unix::signal::Signal::SIGSTOP);
    // The kernel accepts on the stopped server's behalf until the backlog is full, and then says nothing.
    let server = std::net::SocketAddr::from(([127, 0, 0, 1], sink.port));
    let patience = std::time::Duration::from_millis(300);
    let mut waiting = Vec::new();
    harness::wait_until("the backlog is full", || {
        let connection = std::net::TcpStream::connect_timeout(&server, patience);
        let is_full = connection.is_err();
        waiting.extend(connection);
        is_full
    });
    let (home, table) = home_with_table(0);
    home.control("timeoutconnect", "1\n");
    home.control("smtproutes", format!(":127.0.0.1:{}\n", sink.port));
    let report = send_from_file(&home, &["a@dest.example"], MESSAGE);
    assert_eq!(report, "ZSorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n|");
    assert_eq!(count_in(&table), 1);
}
