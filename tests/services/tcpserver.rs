//! `tcpserver` as a service: both address families, bad moments, and what its children get.

use harness::{
    Answer, Call, DnsServer, Record, TcpServer, copy_program, program, scratch, skipped, wait_until,
};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use unix::signal::Signal;

fn start(options: &[&str], host: &str, command: &[&str]) -> TcpServer {
    TcpServer::start(&program("tcpserver"), options, host, command, &[])
}

fn has_ipv6() -> bool {
    TcpListener::bind("[::1]:0").is_ok()
}

fn read_all(server: &TcpServer, address: &str) -> String {
    let mut text = String::new();
    server.connect(address).read_to_string(&mut text).expect("what the program says");
    text
}

#[test]
fn one_socket_takes_ipv6_and_ipv4() {
    let server = start(&["-HRl0"], "0", &["sh", "-c", "echo $PROTO $TCPLOCALIP $TCPREMOTEIP"]);
    assert_eq!(read_all(&server, "127.0.0.1"), "TCP 127.0.0.1 127.0.0.1\n");
    assert!(server.logged("tcpserver: pid ").ends_with(" from 127.0.0.1"));
    if !has_ipv6() {
        return skipped("this machine has no IPv6");
    }
    assert_eq!(read_all(&server, "::1"), "TCP ::1 ::1\n");
    wait_until("the verdict on ::1", || server.log().contains(&format!("0:::1:{} :::1::", server.port())));
}

#[test]
fn rules_hold_for_ipv6_peers_and_prefixes() {
    if !has_ipv6() {
        return skipped("this machine has no IPv6");
    }
    let directory = scratch();
    let compile = |rules: &str| {
        let made =
            Call::ours("tcprules").within(directory.path()).args(["r.cdb", "r.tmp"]).input(rules).run();
        assert_eq!(made.code, 0, "{}", made.err_text());
    };
    compile("::1:allow,RELAYCLIENT=\"yes\"\n:deny\n");
    let path = directory.path().join("r.cdb").display().to_string();
    let server = start(&["-HRl0", "-x", &path], "::1", &["sh", "-c", "echo $RELAYCLIENT"]);
    assert_eq!(read_all(&server, "::1"), "yes\n");
    compile("0:0:0::allow,RELAYCLIENT=\"prefix\"\n:deny\n");
    assert_eq!(read_all(&server, "::1"), "prefix\n");
    compile("127.:allow\n:deny\n");
    assert_eq!(read_all(&server, "::1"), "");
}

/// R3: accepting fails for want of descriptors; it is tried again, with one line of log.
#[test]
fn r3_without_descriptors_connections_wait_and_are_served_later() {
    let limit = |pid: i32, soft: &str| {
        Call::path(Path::new("/usr/bin/prlimit"))
            .args(["--pid", &pid.to_string(), &format!("--nofile={soft}:")])
            .run()
    };
    let mut server = start(&["-HRl0"], "127.0.0.1", &["echo", "served"]);
    let pid = server.running().pid();
    let limited = limit(pid, "0");
    assert_eq!(limited.code, 0, "{}", limited.err_text());
    let mut stream = server.connect("127.0.0.1");
    server.logged("tcpserver: warning: unable to accept: process cannot open more files");
    let attempts = || std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let before = attempts();
    wait_until("a few more attempts", || attempts() != before);
    assert_eq!(server.log().matches("unable to accept").count(), 1);
    limit(pid, "1024");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("the program's words");
    assert_eq!(text, "served\n");
}

#[test]
fn the_program_gets_the_connection_and_none_of_our_descriptors() {
    let server = start(&["-HRl0"], "127.0.0.1", &["ls", "-l", "/proc/self/fd"]);
    let text = read_all(&server, "127.0.0.1");
    assert!(text.contains(" 0 -> socket:") && text.contains(" 1 -> socket:"), "{text}");
    // The listening socket and the wake-up for signals are sockets too; the resolver has an anonymous inode.
    assert_eq!(text.matches("socket:").count(), 2, "{text}");
    assert!(!text.contains("anon_inode"), "{text}");
}

#[test]
fn a_killed_child_gives_its_slot_back() {
    let server = start(&["-HRl0", "-c1"], "127.0.0.1", &["cat"]);
    for turn in 1..=3 {
        let mut stream = server.connect("127.0.0.1");
        wait_until("the child's start", || server.log().matches("tcpserver: ok ").count() == turn);
        let log = server.log();
        let line = log.lines().rfind(|line| line.contains(": ok ")).expect("a verdict");
        let pid: i32 = line.split(' ').nth(2).expect("a number").parse().expect("a process number");
        unix::process::kill(unix::process::Pid::from_raw(pid), Signal::SIGKILL).expect("a child");
        let mut rest = Vec::new();
        let _ = stream.write_all(b"x");
        let _ = stream.read_to_end(&mut rest);
        wait_until("the child's end", || server.log().matches(" status 9\n").count() == turn);
    }
}

#[test]
fn a_termination_signal_to_a_child_that_waits_for_the_dns_is_for_the_child() {
    let silent = DnsServer::start([("1.0.0.127.in-addr.arpa", Answer::Silence)]);
    let variables = [("DNSCACHEIP", silent.address())];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mut server = TcpServer::start(&program("tcpserver"), &["-Rl0"], "127.0.0.1", &["true"], &variables);
    let _stream = server.connect("127.0.0.1");
    let line = server.logged("tcpserver: pid ");
    let pid: i32 = line.split(' ').nth(2).expect("a number").parse().expect("a process number");
    unix::process::kill(unix::process::Pid::from_raw(pid), Signal::SIGTERM).expect("a child");
    server.logged(&format!("tcpserver: end {pid} status 15"));
    assert!(server.running().is_alive());
}

#[test]
fn a_host_name_is_looked_up_and_a_missing_one_is_reported() {
    let names = DnsServer::start([
        ("www.example", Answer::Records(vec![Record::Alias("here.example".into())])),
        ("here.example", Answer::Records(vec![Record::Address([127, 0, 0, 1].into())])),
        ("broken.example", Answer::ServerFailure),
    ]);
    let address = names.address();
    let variables = [("DNSCACHEIP", address.as_str())];
    let server =
        TcpServer::start(&program("tcpserver"), &["-HRl0"], "www.example", &["echo", "hi"], &variables);
    assert_eq!(server.ask(), "hi\n");
    for (host, error) in [
        ("none.example", "no IP address for none.example"),
        ("broken.example", "temporarily unable to figure out IP address for broken.example: "),
    ] {
        let outcome =
            Call::ours("tcpserver").env("DNSCACHEIP", &address).args([host, "0", "/bin/true"]).run();
        assert_eq!(outcome.code, 111);
        assert!(
            outcome.err_text().starts_with(&format!("tcpserver: fatal: {error}")),
            "{}",
            outcome.err_text()
        );
    }
}

/// L8: what an ident server and a name server say of a connection stays within its fields of one line.
#[test]
fn l8_ident_and_host_name_cannot_make_another_line_of_log() {
    let Ok(listener) = TcpListener::bind("127.0.0.1:113") else {
        return skipped("port 113 cannot be had");
    };
    let name = "host\ntcpserver: ok 1 %:\u{7f}\u{e9}\x1b[0m b".to_owned();
    let names = DnsServer::start([("1.0.0.127.in-addr.arpa", Answer::Records(vec![Record::Name(name)]))]);
    let address = names.address();
    let variables = [("DNSCACHEIP", address.as_str())];
    let server =
        TcpServer::start(&program("tcpserver"), &["-vt9", "-l0"], "127.0.0.1", &["true"], &variables);
    let client = server.connect("127.0.0.1");
    let (mut asker, _) = listener.accept().expect("a question");
    asker.write_all(b"1,2:USERID:UNIX:joe:%\r\x1b[0m\x7f\xff\x0btcpserver: ok\n").expect("an answer");
    let port = client.local_addr().expect("our address").port();
    server.logged("tcpserver: end ");
    let log = server.log();
    assert!(log.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)), "{log:?}");
    let lines: Vec<&str> = log.lines().collect();
    let starts = ["status: 0/40", "status: 1/40", "pid ", "ok ", "end ", "status: 0/40"];
    assert!(lines.len() >= 5 && lines.len() <= starts.len(), "{log}");
    let is_as_ever = |(line, start): (&&str, &&str)| line.starts_with(&format!("tcpserver: {start}"));
    assert!(lines.iter().zip(&starts).all(is_as_ever), "{log}");
    let fields: Vec<&str> = lines[3].split(' ').collect();
    assert_eq!(fields.len(), 5, "{log}");
    assert!(fields[4].ends_with(&format!(":127.0.0.1:joe???[0m???tcpserver?ok:{port}")), "{log}");
}

#[test]
fn a_port_above_65535_and_a_user_name_are_refused() {
    for words in [&["0", "70000", "/bin/true"][..], &["-u", "qmaild", "0", "0", "/bin/true"]] {
        let outcome = Call::ours("tcpserver").args(words).run();
        assert_eq!(outcome.code, 100, "{words:?}");
        assert!(outcome.err_text().starts_with("tcpserver: fatal: "), "{}", outcome.err_text());
    }
}

/// M5: a rules database with any byte changed or any end cut off never crashes the server, and never makes it
/// serve a peer that the rules deny by reading past the file.
#[test]
fn m5_damaged_rules_are_answers_or_refusals() {
    let directory = scratch();
    let rules = "127.0.0.1:deny\n:deny\n";
    let made = Call::ours("tcprules").within(directory.path()).args(["r.cdb", "r.tmp"]).input(rules).run();
    assert_eq!(made.code, 0);
    let path = directory.path().join("r.cdb");
    let whole = std::fs::read(&path).expect("a database");
    for length in (0..whole.len()).step_by(97) {
        std::fs::write(&path, &whole[..length]).expect("a file");
        let checked = Call::ours("tcprulescheck").env("TCPREMOTEIP", "127.0.0.1").arg(&path).run();
        assert!(
            checked.code == 111 || checked.out_text().contains("deny"),
            "{length}: {} {}",
            checked.code,
            checked.out_text()
        );
    }
}

/// M5: the same while the server runs, with a file that is cut or changed under it.
#[test]
fn m5_damaged_rules_let_nobody_in_whom_they_deny_and_the_server_goes_on() {
    let directory = scratch();
    let rules = "127.0.0.1:deny\n:deny\n";
    let made = Call::ours("tcprules").within(directory.path()).args(["r.cdb", "r.tmp"]).input(rules).run();
    assert_eq!(made.code, 0);
    let path = directory.path().join("r.cdb");
    let whole = std::fs::read(&path).expect("a database");
    let server = start(&["-HRl0", "-x", &path.display().to_string()], "127.0.0.1", &["echo", "in"]);
    for length in (0..whole.len()).step_by(211) {
        std::fs::write(&path, &whole[..length]).expect("a file");
        assert_eq!(server.ask(), "", "{length}");
    }
    // Every byte of what decides: the keys' headers and tables, and the records.
    for at in (0..whole.len()).filter(|at| *at >= 2048 || whole[*at] != 0).step_by(5) {
        let mut changed = whole.clone();
        changed[at] ^= 0x5a;
        std::fs::write(&path, &changed).expect("a file");
        let said = server.ask();
        assert!(said.is_empty() || said == "in\n", "{at}");
    }
    std::fs::write(&path, &whole).expect("a file");
    assert_eq!(server.ask(), "");
    server.logged("tcpserver: deny ");
}

/// M4: cut and nonsensical replies and aliases in a circle are "try again", never a crash or "no such name".
#[test]
fn m4_dns_replies_that_make_no_sense_are_temporary() {
    let alias = |target: &str| Answer::Records(vec![Record::Alias(target.into())]);
    let names = DnsServer::start([
        ("cut.example", Answer::Truncated),
        ("nonsense.example", Answer::Garbage),
        ("circle.example", alias("around.example")),
        ("around.example", alias("circle.example")),
        ("self.example", alias("self.example")),
        ("dangling.example", alias("none.example")),
        ("nodata.example", Answer::Records(vec![Record::Exchanger(1, "x.example".into())])),
    ]);
    let look_up = |host: &str| {
        let call = Call::ours("tcpserver").env("DNSCACHEIP", names.address());
        let outcome = call.args([host, "0", "/bin/true"]).run();
        assert_eq!(outcome.code, 111, "{host}");
        outcome.err_text()
    };
    // Some of these wait for a better reply, so they wait together.
    std::thread::scope(|scope| {
        for host in ["cut.example", "nonsense.example", "circle.example", "self.example"] {
            scope.spawn(move || {
                let error = look_up(host);
                assert!(error.starts_with("tcpserver: fatal: temporarily unable"), "{error}");
            });
        }
    });
    for host in ["dangling.example", "nodata.example", "none.example"] {
        assert_eq!(look_up(host), format!("tcpserver: fatal: no IP address for {host}\n"));
    }
}

#[test]
fn rules_hold_for_blocks_of_addresses() {
    let directory = scratch();
    let compile = |rules: &str| {
        Call::ours("tcprules").within(directory.path()).args(["r.cdb", "r.tmp"]).input(rules).run()
    };
    let path = directory.path().join("r.cdb");
    let checked = |ip: &str| Call::ours("tcprulescheck").arg(&path).env("TCPREMOTEIP", ip).run().out_text();
    let rules = "10.0.0.0/8:deny\n10.1.:allow\n10.1.2.0/24:deny\n2001:db8::/32:allow,A=\"b\"\n:allow\n";
    assert_eq!(compile(rules).code, 0);
    assert_eq!(checked("10.2.0.1"), "rule 10.0.0.0/8:\ndeny connection\n");
    assert_eq!(checked("10.1.0.1"), "rule 10.1.:\nallow connection\n");
    assert_eq!(checked("10.1.2.3"), "rule 10.1.2.0/24:\ndeny connection\n");
    assert_eq!(checked("11.0.0.0"), "rule :\nallow connection\n");
    let six = "rule 2001:db8::/32:\nset environment variable A=b\nallow connection\n";
    assert_eq!(checked("2001:db8:ffff::1"), six);
    let before = std::fs::read(&path).expect("the rules");
    for wrong in ["10.0.0.1/8:deny", "10.0.0.0/33:deny", "10.0.0.0/8:deny\n10.0.0.0/8:allow"] {
        let outcome = compile(wrong);
        assert_eq!(outcome.code, 100, "{wrong}");
        assert!(outcome.err_text().contains("unable to parse this line: 10.0.0."), "{}", outcome.err_text());
        assert!(std::fs::read(&path).expect("the rules") == before, "{wrong}");
    }
}

#[test]
fn one_address_has_no_more_connections_than_its_share() {
    let server = start(&["-HRl0", "-C1"], "127.0.0.1", &["cat"]);
    let first = server.connect("127.0.0.1");
    server.logged("tcpserver: ok ");
    assert_eq!(server.ask(), "");
    let expected = "tcpserver: warning: dropping connection, too many connections from 127.0.0.1";
    assert_eq!(server.logged("tcpserver: warning"), expected);
    drop(first);
    server.logged("tcpserver: end ");
    let mut third = server.connect("127.0.0.1");
    third.write_all(b"x").expect("room for a byte");
    third.read_exact(&mut [0]).expect("an echo");
}

#[test]
fn one_network_has_no_more_connections_than_its_share() {
    let server = start(&["-HRl0", "-n1"], "127.0.0.1", &["cat"]);
    let _first = server.connect("127.0.0.1");
    server.logged("tcpserver: ok ");
    assert_eq!(server.ask(), "");
    let expected =
        "tcpserver: warning: dropping connection, too many connections from the network of 127.0.0.1";
    assert_eq!(server.logged("tcpserver: warning"), expected);
}

#[test]
fn one_address_makes_no_more_connections_in_a_second_than_its_share() {
    let server = start(&["-HRl0", "-f0"], "127.0.0.1", &["echo", "in"]);
    assert_eq!(server.ask(), "");
    let expected = "tcpserver: warning: dropping connection, too many new connections from 127.0.0.1";
    assert_eq!(server.logged("tcpserver: warning"), expected);
    assert!(!server.log().contains(": status: 1/"));
}

#[test]
fn who_forgets_to_compile_the_rules_is_told_once() {
    let directory = scratch();
    let made =
        Call::ours("tcprules").within(directory.path()).args(["r.cdb", "r.tmp"]).input(":allow\n").run();
    assert_eq!(made.code, 0);
    let compiled = directory.path().join("r.cdb");
    let long_ago = std::time::SystemTime::UNIX_EPOCH;
    std::fs::File::options()
        .write(true)
        .open(&compiled)
        .and_then(|file| file.set_modified(long_ago))
        .expect("a date");
    let source = directory.path().join("r");
    std::fs::write(&source, ":deny\n").expect("the source");
    let path = compiled.display().to_string();
    let server = start(&["-HRl0", "-x", &path], "127.0.0.1", &["echo", "in"]);
    assert_eq!([server.ask(), server.ask()], ["in\n", "in\n"]);
    let warning = format!("rules are older than {}, which tcprules has not compiled", source.display());
    server.logged("tcpserver: warning");
    assert_eq!(server.log().matches(&warning).count(), 1);
}

/// Connections are made all the time while one server takes over from another, and none is refused.
#[test]
fn a_shared_port_is_never_closed_over_a_restart() {
    let mut old = start(&["-HRl0", "-S"], "127.0.0.1", &["echo", "served"]);
    let port = old.port().to_string();
    let mut command = std::process::Command::new(program("tcpserver"));
    command.args(["-1SHRl0", "127.0.0.1", &port, "echo", "served"]).stdout(std::process::Stdio::piped());
    let mut new = harness::Running::start(&mut command);
    new.child().stdout.take().expect("its output").read_exact(&mut [0]).expect("the port");
    for turn in 0..200 {
        if turn == 100 {
            old.running().signal(Signal::SIGTERM);
            assert_eq!(old.running().wait(), 0);
        }
        assert_eq!(old.ask(), "served\n", "{turn}");
    }
}

#[test]
fn a_balancer_says_for_whom_it_connects() {
    let command = ["sh", "-c", "echo $TCPREMOTEIP $TCPREMOTEPORT $TCPLOCALIP $TCPLOCALPORT; cat"];
    let server = start(&["-HRl0", "-Y127.0.0.1"], "127.0.0.1", &command);
    let say = |bytes: &[u8]| {
        let mut stream = server.connect("127.0.0.1");
        stream.write_all(bytes).expect("room for a header");
        let mut text = String::new();
        // A connection that is dropped with bytes unread is reset, perhaps before we are at its end.
        let _ = stream
            .shutdown(std::net::Shutdown::Write)
            .and_then(|()| stream.read_to_string(&mut text).map(drop));
        text
    };
    assert_eq!(
        say(b"PROXY TCP4 192.0.2.1 192.0.2.9 40000 25\r\nHELO x\r\n"),
        "192.0.2.1 40000 192.0.2.9 25\nHELO x\r\n"
    );
    server.logged("tcpserver: ok ");
    assert!(server.log().contains(" 0:192.0.2.9:25 :192.0.2.1::40000\n"), "{}", server.log());
    let binary = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x02\xc0\0\x02\x09\0\x01\0\x02rest";
    assert_eq!(say(binary), "192.0.2.2 1 192.0.2.9 2\nrest");
    assert_eq!(say(b"HELO x\r\n"), "");
    let expected = "tcpserver: warning: dropping connection, unable to read PROXY header: protocol error";
    assert_eq!(server.logged("tcpserver: warning"), expected);
}

#[test]
fn the_program_that_looks_up_names_is_missed_at_the_start_and_not_with_each_connection() {
    let directory = scratch();
    let alone = directory.path().join("tcpserver");
    copy_program("tcpserver", &alone);
    let outcome = Call::path(&alone).args(["-R", "127.0.0.1", "0", "true"]).run();
    let expected = "tcpserver: fatal: unable to find tcpnames: file does not exist\n";
    assert_eq!((outcome.code, outcome.err_text().as_str()), (111, expected));
    let server = TcpServer::start(&alone, &["-HRl0"], "127.0.0.1", &["echo", "in"], &[]);
    assert_eq!(server.ask(), "in\n");
}

#[test]
fn tcpnames_answers_each_question_with_a_line() {
    let names = DnsServer::start([
        ("1.2.0.192.in-addr.arpa", Answer::Records(vec![Record::Name("Liar.Example".into())])),
        ("liar.example", Answer::Records(vec![Record::Address([192, 0, 2, 2].into())])),
        ("2.2.0.192.in-addr.arpa", Answer::Records(vec![Record::Name("liar.example".into())])),
        ("broken.example", Answer::ServerFailure),
    ]);
    let questions =
        ["name=192.0.2.1", "confirmed=192.0.2.1", "confirmed=192.0.2.2", "addresses=liar.example"];
    let call = Call::ours("tcpnames").env("DNSCACHEIP", names.address());
    let outcome = call.args(questions).args(["name=192.0.2.9", "addresses=broken.example"]).run();
    assert_eq!(outcome.code, 0, "{}", outcome.err_text());
    let expected = "+liar.example\n-\n+liar.example\n+192.0.2.2\n-\n?the DNS server answered: ";
    assert!(outcome.out_text().starts_with(expected), "{}", outcome.out_text());
    for wrong in [&[][..], &["192.0.2.1"], &["name=liar.example"]] {
        assert_eq!(Call::ours("tcpnames").args(wrong).run().code, 100, "{wrong:?}");
    }
}

/// Children share the server's memory for a moment; so many at a time that some have to be waited for.
#[test]
fn a_burst_of_connections_is_served_whole() {
    let server = start(&["-HRl0", "-c200"], "127.0.0.1", &["sh", "-c", "echo $TCPREMOTEPORT"]);
    let streams: Vec<_> = (0..150).map(|_| server.connect("127.0.0.1")).collect();
    for mut stream in streams {
        let port = stream.local_addr().expect("our address").port();
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("the program's words");
        assert_eq!(text, format!("{port}\n"));
    }
    wait_until("all ends", || server.log().matches(" status 0\n").count() == 150);
}

#[test]
fn who_is_not_a_named_balancer_speaks_for_nobody() {
    let server = start(&["-HRl0", "-Y192.0.2.0/24"], "127.0.0.1", &["echo", "in"]);
    let mut stream = server.connect("127.0.0.1");
    let _ = stream.write_all(b"PROXY TCP4 192.0.2.1 192.0.2.9 40000 25\r\n");
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text);
    assert_eq!(text, "");
    let expected = "tcpserver: warning: dropping connection, not a balancer: 127.0.0.1";
    assert_eq!(server.logged("tcpserver: warning"), expected);
}
